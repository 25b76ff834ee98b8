package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

func ballots() *rapid.Generator[register.Ballot] {
	return rapid.Custom(func(t *rapid.T) register.Ballot {
		return register.Ballot{Time: rapid.Int64Min(1).Draw(t, "time"), Proposer: rapid.Uint64().Draw(t, "proposer")}
	})
}

// records yields records that are not blank: a document may be empty, and is
// never nil but in a tombstone.
func records() *rapid.Generator[register.Record] {
	return rapid.Custom(func(t *rapid.T) register.Record {
		r := register.Record{Ballot: ballots().Draw(t, "ballot"), Tombstone: rapid.Bool().Draw(t, "tombstone")}
		r.Op = r.Ballot
		if rapid.Bool().Draw(t, "older op") {
			r.Op = register.Ballot{Time: rapid.Int64Range(1, r.Ballot.Time).Draw(t, "op time")}
		}
		if !r.Tombstone {
			r.Doc = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "doc")
		}
		return r
	})
}

func requests() *rapid.Generator[register.Request] {
	return rapid.Custom(func(t *rapid.T) register.Request {
		q := register.Request{
			Kind:      rapid.SampledFrom([]register.Kind{register.KindRead, register.KindPrepare, register.KindAccept, register.KindChosen, register.KindBar, register.KindCollect}).Draw(t, "kind"),
			Partition: rapid.Uint16().Draw(t, "partition"),
			Key:       string(rapid.SliceOfN(rapid.Byte(), 0, wire.MaxKeyBytes).Draw(t, "key")),
		}
		for seat := range q.Disks {
			q.Disks[seat] = rapid.Uint32().Draw(t, "disk")
		}
		switch q.Kind {
		case register.KindRead:
		case register.KindPrepare, register.KindChosen, register.KindBar, register.KindCollect:
			q.Ballot = ballots().Draw(t, "ballot")
		case register.KindAccept:
			q.Record = records().Draw(t, "record")
		}
		if q.Kind == register.KindPrepare || q.Kind == register.KindAccept {
			q.Grows = rapid.Bool().Draw(t, "grows")
		}
		return q
	})
}

func replies() *rapid.Generator[register.Reply] {
	return rapid.Custom(func(t *rapid.T) register.Reply {
		r := register.Reply{
			Verdict: rapid.SampledFrom([]register.Verdict{register.VerdictYes, register.VerdictRefused, register.VerdictUnable, register.VerdictStale, register.VerdictFull}).Draw(t, "verdict"),
			Chosen:  rapid.Bool().Draw(t, "chosen"),
			Epoch:   rapid.Uint64().Draw(t, "epoch"),
		}
		if rapid.Bool().Draw(t, "holds") {
			r.Record = records().Draw(t, "record")
		}
		if r.Verdict == register.VerdictRefused {
			r.Highest, r.Held, r.Floor = ballots().Draw(t, "highest"), ballots().Draw(t, "held"), ballots().Draw(t, "floor")
		}
		if r.Verdict == register.VerdictStale {
			for seat := range r.Disks {
				r.Disks[seat] = rapid.Uint32().Draw(t, "disk")
			}
		}
		return r
	})
}

func frames() *rapid.Generator[[]register.Request] { return rapid.SliceOfN(requests(), 0, 8) }

func TestRequestsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := frames().Draw(t, "frame")
		before := []byte("kept")
		encoded := wire.AppendRequests(before, f)
		require.Equal(t, "kept", string(encoded[:4]))
		decoded, err := wire.DecodeRequests(encoded[4:])
		require.NoError(t, err)
		require.Equal(t, f, decoded)
		size := 16
		for i := range f {
			size += wire.RequestSize(&f[i])
		}
		require.LessOrEqual(t, len(encoded), size, "RequestSize is an upper bound")
	})
}

func TestRepliesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(replies(), 0, 8).Draw(t, "replies")
		encoded := wire.AppendReplies(nil, want)
		got, err := wire.DecodeReplies(encoded, len(want))
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = wire.DecodeReplies(encoded, len(want)+1)
		require.ErrorIs(t, err, wire.ErrFrame, "a reply for each request, no more and no less")
	})
}

// TestSoleStaysHere: whether a message left once is the sender's to know; a node
// can't claim it.
func TestSoleStaysHere(t *testing.T) {
	r := register.Reply{Verdict: register.VerdictYes, Sole: true}
	got, err := wire.DecodeReplies(wire.AppendReplies(nil, []register.Reply{r}), 1)
	require.NoError(t, err)
	require.False(t, got[0].Sole)
}

func TestEveryTruncationIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		encoded := wire.AppendRequests(nil, frames().Draw(t, "frame"))
		cut := rapid.IntRange(0, len(encoded)-1).Draw(t, "cut")
		_, err := wire.DecodeRequests(encoded[:cut])
		require.ErrorIs(t, err, wire.ErrFrame)
		_, err = wire.DecodeRequests(append(encoded, 0))
		require.ErrorIs(t, err, wire.ErrFrame, "nothing may follow")

		answers := rapid.SliceOfN(replies(), 0, 8).Draw(t, "replies")
		encoded = wire.AppendReplies(nil, answers)
		cut = rapid.IntRange(0, len(encoded)-1).Draw(t, "reply cut")
		_, err = wire.DecodeReplies(encoded[:cut], len(answers))
		require.ErrorIs(t, err, wire.ErrFrame)
		_, err = wire.DecodeReplies(append(encoded, 0), len(answers))
		require.ErrorIs(t, err, wire.ErrFrame, "nothing may follow")
	})
}

func TestRefusedFrames(t *testing.T) {
	accept := func(r register.Record) []byte {
		q := register.Request{Kind: register.KindAccept, Key: "k", Record: r}
		return wire.AppendRequests(nil, []register.Request{q})
	}
	b := register.Ballot{Time: 7, Proposer: 1}
	sound := accept(register.Record{Ballot: b, Op: b, Doc: []byte("{}")})
	_, err := wire.DecodeRequests(sound)
	require.NoError(t, err)
	changed := func(at int, to byte) []byte {
		c := append([]byte{}, sound...)
		c[at] = to
		return c
	}
	for name, frame := range map[string][]byte{
		"another version":         changed(0, 2),
		"an unknown kind":         changed(2, 9), // version, count
		"a read that grows":       wire.AppendRequests(nil, []register.Request{{Kind: register.KindRead, Key: "k", Grows: true}}),
		"an accept of a blank":    accept(register.Record{}),
		"a ballot below its op":   accept(register.Record{Ballot: b, Op: register.Ballot{Time: 8}}),
		"a ballot without a time": accept(register.Record{Ballot: register.Ballot{Proposer: 1}, Op: register.Ballot{Proposer: 1}}),
		"too large a document":    accept(register.Record{Ballot: b, Op: b, Doc: make([]byte, wire.MaxDocBytes+1)}),
		"too many messages":       wire.AppendRequests(nil, make([]register.Request, wire.MaxMessages+1)),
		"too long a key": wire.AppendRequests(nil, []register.Request{
			{Kind: register.KindRead, Key: string(make([]byte, wire.MaxKeyBytes+1))},
		}),
	} {
		_, err := wire.DecodeRequests(frame)
		require.ErrorIs(t, err, wire.ErrFrame, name)
	}
	for _, v := range []register.Verdict{0, register.VerdictLost, register.VerdictUnsent, 99} {
		_, err := wire.DecodeReplies(wire.AppendReplies(nil, []register.Reply{{Verdict: v}}), 1)
		require.ErrorIs(t, err, wire.ErrFrame, "only a sender may say %v", v)
	}
}

func TestHeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, number := rapid.SliceOf(rapid.Byte()).Draw(t, "body"), rapid.Uint32().Draw(t, "number")
		frame := append(wire.AppendHead([]byte("before")), body...)[len("before"):]
		wire.SetHead(frame, number)
		require.Equal(t, body, append([]byte{}, frame[wire.HeadSize:]...))
		got, size, err := wire.Head([wire.HeadSize]byte(frame))
		require.NoError(t, err)
		require.Equal(t, number, got)
		require.Equal(t, len(body), size)
	})
	_, _, err := wire.Head([wire.HeadSize]byte{0xff})
	require.ErrorIs(t, err, wire.ErrFrame, "nobody makes room for a body that is too large")
}
