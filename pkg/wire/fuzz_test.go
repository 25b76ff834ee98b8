package wire_test

import (
	"bytes"
	stdjson "encoding/json"
	"math"
	"net/url"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// modest runs a decoder and holds what it allocates to the size of its input.
func modest(t *testing.T, size int, decode func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decode()
	runtime.ReadMemStats(&after)
	// 64 KiB for what else goes on in the process.
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10+100*size), "from %d bytes", size)
}

func someRequests() []byte {
	b, disks := register.Ballot{Time: 7, Proposer: 1}, register.Incarnations{1, 2, 300}
	return wire.AppendRequests(nil, []register.Request{
		{Kind: register.KindRead, Partition: 63, Key: "ada", Disks: disks},
		{Kind: register.KindPrepare, Key: "ada", Ballot: b},
		{Kind: register.KindPrepare, Key: "ada", Ballot: b, Grows: true},
		{Kind: register.KindAccept, Key: "ada", Record: register.Record{Ballot: b, Op: b, Doc: []byte("{}")}},
		{Kind: register.KindAccept, Key: "ada", Record: register.Record{Ballot: b, Op: register.Ballot{Time: 3}, Tombstone: true}},
		{Kind: register.KindChosen, Key: "ada", Ballot: b},
		{Kind: register.KindBar, Ballot: b},
		{Kind: register.KindCollect, Key: "ada", Ballot: b},
	})
}

// FuzzDecodeRequests: what is taken is written in one form, which says the same.
func FuzzDecodeRequests(f *testing.F) {
	f.Add([]byte{})
	f.Add(someRequests())
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame []register.Request
		var err error
		modest(t, len(data), func() { frame, err = wire.DecodeRequests(data) })
		if err != nil {
			require.ErrorIs(t, err, wire.ErrFrame)
			return
		}
		require.LessOrEqual(t, cap(frame), len(data))
		encoded := wire.AppendRequests(nil, frame)
		require.LessOrEqual(t, len(encoded), len(data), "the form is the shortest")
		again, err := wire.DecodeRequests(encoded)
		require.NoError(t, err)
		require.Equal(t, frame, again)
		_, err = wire.DecodeRequests(data[:len(data)-1])
		require.ErrorIs(t, err, wire.ErrFrame, "cut short")
	})
}

// FuzzDecodeReplies is the same for replies.
func FuzzDecodeReplies(f *testing.F) {
	b := register.Ballot{Time: 7, Proposer: 1}
	f.Add([]byte{}, uint16(0))
	f.Add(wire.AppendReplies(nil, []register.Reply{
		{Verdict: register.VerdictYes, Record: register.Record{Ballot: b, Op: b, Doc: []byte("{}")}, Chosen: true, Epoch: 9},
		{Verdict: register.VerdictRefused, Highest: b, Held: b, Floor: b},
		{Verdict: register.VerdictStale, Disks: register.Incarnations{1, 2, 300}},
		{Verdict: register.VerdictUnable},
		{Verdict: register.VerdictFull},
	}), uint16(5))
	f.Fuzz(func(t *testing.T, data []byte, asked uint16) {
		want := int(asked) % (wire.MaxMessages + 1)
		var got []register.Reply
		var err error
		modest(t, len(data)+4*want, func() { got, err = wire.DecodeReplies(data, want) })
		if err != nil {
			require.ErrorIs(t, err, wire.ErrFrame)
			return
		}
		require.Len(t, got, want)
		encoded := wire.AppendReplies(nil, got)
		again, err := wire.DecodeReplies(encoded, want)
		require.NoError(t, err)
		require.Equal(t, encoded, wire.AppendReplies(nil, again))
		for i := range again {
			require.Equal(t, got[i].Verdict, again[i].Verdict)
			require.Equal(t, got[i].Record, again[i].Record)
			require.Equal(t, got[i].Epoch, again[i].Epoch)
			require.False(t, got[i].Sole, "that is the sender's to know")
		}
	})
}

// FuzzDecodePage is the same for a page of records.
func FuzzDecodePage(f *testing.F) {
	b := register.Ballot{Time: 7, Proposer: 1}
	f.Add([]byte{})
	f.Add(wire.AppendPage(nil, []register.Hint{
		{Key: "ada", Record: register.Record{Ballot: b, Op: b, Doc: []byte("{}")}},
		{Key: "bob", Record: register.Record{Ballot: b, Op: register.Ballot{Time: 3}, Tombstone: true}},
	}, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		var records []register.Hint
		var more bool
		var err error
		modest(t, len(data), func() { records, more, err = wire.DecodePage(data) })
		if err != nil {
			require.ErrorIs(t, err, wire.ErrFrame)
			return
		}
		require.LessOrEqual(t, len(records), wire.MaxPageRecords)
		encoded := wire.AppendPage(nil, records, more)
		require.LessOrEqual(t, len(encoded), len(data), "the form is the shortest")
		again, moreAgain, err := wire.DecodePage(encoded)
		require.NoError(t, err)
		require.Equal(t, more, moreAgain)
		require.Equal(t, records, again)
	})
}

// FuzzReadRecordLines: what is taken is written in one form, which says the same.
func FuzzReadRecordLines(f *testing.F) {
	page, err := wire.AppendRecordLines(nil, []wire.RecordLine{
		{Key: "ada", Ballot: wire.BallotJSON{Time: 7, Proposer: math.MaxUint64}, Checksum: 9},
		{Key: "bob", Ballot: wire.BallotJSON{Time: 8}, Tombstone: true},
	})
	require.NoError(f, err)
	f.Add(page, uint8(2))
	f.Add(page, uint8(1))
	f.Add([]byte("{}{\"key\":7}"), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, limit uint8) {
		lines, err := wire.ReadRecordLines(bytes.NewReader(data), int(limit))
		if err != nil {
			require.Nil(t, lines)
			return
		}
		require.LessOrEqual(t, len(lines), int(limit))
		encoded, err := wire.AppendRecordLines(nil, lines)
		require.NoError(t, err)
		again, err := wire.ReadRecordLines(bytes.NewReader(encoded), len(lines))
		require.NoError(t, err)
		require.Equal(t, lines, again)
	})
}

// FuzzParseQueries: what is taken is within its bounds, and says the same when it
// is written again.
func FuzzParseQueries(f *testing.F) {
	f.Add(wire.RecordsQuery{Partition: 63, After: "ada", Limit: 7}.Values().Encode(), uint16(64))
	f.Add(wire.PartitionQuery{Partition: 4095, After: "\xff"}.Values().Encode(), uint16(4096))
	f.Add("partition=-0&limit=%2B5", uint16(1))
	f.Fuzz(func(t *testing.T, query string, partitions uint16) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if q, err := wire.ParsePartitionQuery(values, int(partitions)); err == nil {
			require.Less(t, q.Partition, partitions)
			require.LessOrEqual(t, len(q.After), wire.MaxKeyBytes)
			again, err := wire.ParsePartitionQuery(q.Values(), int(partitions))
			require.NoError(t, err)
			require.Equal(t, q, again)
		}
		if q, err := wire.ParseRecordsQuery(values, int(partitions)); err == nil {
			require.Less(t, q.Partition, partitions)
			require.LessOrEqual(t, len(q.After), wire.MaxKeyBytes)
			require.True(t, q.Limit >= 1 && q.Limit <= wire.MaxRecordLines)
			again, err := wire.ParseRecordsQuery(q.Values(), int(partitions))
			require.NoError(t, err)
			require.Equal(t, q, again)
		}
	})
}

// sameAgain returns v as JSON, which must say the same when it is read again.
func sameAgain[T any](t *testing.T, v T) []byte {
	t.Helper()
	encoded, err := json.Marshal(v, json.Deterministic(true))
	require.NoError(t, err)
	var again T
	require.NoError(t, json.Unmarshal(encoded, &again))
	twice, err := json.Marshal(again, json.Deterministic(true))
	require.NoError(t, err)
	require.Equal(t, string(encoded), string(twice))
	return encoded
}

// FuzzHello: a hello and a welcome say the same when they are written again.
func FuzzHello(f *testing.F) {
	life := wire.Life{Incarnation: 2, Boots: 3, Beat: math.MaxUint64, Recognized: true, Joining: true}
	life.Starts[15] = math.MaxUint64
	hello, err := json.Marshal(wire.Hello{From: "db-0", To: "db-1", Partitions: 64, Life: life})
	require.NoError(f, err)
	welcome, err := json.Marshal(wire.Welcome{Life: life, Voting: true, Before: life, Fences: []wire.BallotJSON{{Time: 7, Proposer: math.MaxUint64}}})
	require.NoError(f, err)
	f.Add(hello)
	f.Add(welcome)
	f.Fuzz(func(t *testing.T, data []byte) {
		var h wire.Hello
		if json.Unmarshal(data, &h) == nil {
			saysAsMuch(t, generic(t, data), generic(t, sameAgain(t, h)))
		}
		var w wire.Welcome
		if json.Unmarshal(data, &w) == nil {
			saysAsMuch(t, generic(t, data), generic(t, sameAgain(t, w)))
		}
	})
}

// generic reads JSON as it is, each digit of its numbers kept.
func generic(t *testing.T, data []byte) (v any) {
	t.Helper()
	decoder := stdjson.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&v))
	return v
}

// saysAsMuch checks that what was read from JSON is in what was written again, but
// for nulls and for members of other names.
func saysAsMuch(t *testing.T, in, out any) {
	t.Helper()
	switch in := in.(type) {
	case nil:
	case map[string]any:
		for name, value := range in {
			if written, ok := out.(map[string]any)[name]; ok {
				saysAsMuch(t, value, written)
			}
		}
	case []any:
		require.Len(t, out, len(in))
		for i, value := range in {
			saysAsMuch(t, value, out.([]any)[i])
		}
	default:
		require.Equal(t, in, out)
	}
}

func aStatus() wire.ClusterStatus {
	oldest := time.Unix(1000, 5).UTC()
	hint := wire.HintHolding{For: []string{"db-1", "db-2"}, Holding: wire.Holding{Records: 3, Tombstones: 1, Bytes: 9}, Oldest: &oldest, CatchUpSeconds: 0.5}
	return wire.ClusterStatus{Nodes: []wire.NodeReport{
		{ID: "db-0", URL: "http://a:1", Up: true, ReplyMillis: 1.5, Status: &wire.NodeStatus{
			ID: "db-0", Serving: true, Life: wire.Life{Incarnation: 1, Boots: 2}, Hints: []wire.HintHolding{hint},
			Incarnations: map[string]uint32{"db-0": 1, "db-1": 2},
		}},
		{ID: "db-1", Error: "connection refused"},
		{ID: "db-2", Up: true, Status: &wire.NodeStatus{
			Life: wire.Life{Joining: true}, Rebuild: &wire.RebuildProgress{Done: 1, Of: 64}, Scrub: wire.ScrubFindings{Damaged: 2, Healed: 1},
		}},
	}}
}

// FuzzJudge reads a status and judges it: the verdict follows from the nodes alone,
// says why, and is the same when the status is sent on and judged again.
func FuzzJudge(f *testing.F) {
	for _, s := range []wire.ClusterStatus{aStatus(), {}, {Nodes: aStatus().Nodes[:1]}} {
		data, err := json.Marshal(s, json.Deterministic(true))
		require.NoError(f, err)
		f.Add(data)
	}
	states := []wire.NodeState{wire.StateDown, wire.StateWaiting, wire.StateJoining, wire.StateReadOnly, wire.StateSlow, wire.StateUp}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s wire.ClusterStatus
		if json.Unmarshal(data, &s) != nil {
			return
		}
		s.Judge()
		require.Equal(t, s.Whole, len(s.Missing) == 0)
		for i := range s.Nodes {
			n := &s.Nodes[i]
			require.Contains(t, states, n.State)
			if n.State != wire.StateUp && n.State != wire.StateSlow {
				require.False(t, s.Whole)
			}
			reasons, err := s.CanStop(n.ID)
			require.NoError(t, err)
			if s.Whole {
				require.Empty(t, reasons, "a whole cluster can do without any one node")
			}
		}
		if !slices.ContainsFunc(s.Nodes, func(n wire.NodeReport) bool { return n.ID == "none" }) {
			_, err := s.CanStop("none")
			require.Error(t, err)
		}
		once := sameAgain(t, s)
		s.Judge()
		require.Equal(t, string(once), string(sameAgain(t, s)))
	})
}

// FuzzReadyText: ready means that there is no problem, and every problem is told.
func FuzzReadyText(f *testing.F) {
	f.Add("running", "", "", "store", "failed", "", true)
	f.Add("nodes", "", "db-0; db-2", "admitted", "waiting", "noted", false)
	f.Fuzz(func(t *testing.T, name1, problem1, note1, name2, problem2, note2 string, verbose bool) {
		checks := []wire.Check{{Name: name1, Problem: problem1, Note: note1}, {Name: name2, Problem: problem2, Note: note2}}
		text, ready := wire.ReadyText(checks, verbose)
		require.Equal(t, problem1 == "" && problem2 == "", ready)
		require.Contains(t, text, problem1)
		require.Contains(t, text, problem2)
		_, brief := wire.ReadyText(checks, !verbose)
		require.Equal(t, ready, brief)
	})
}
