package replica

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/register"
)

// recount adds up what the disk holds.
func (b *bench) recount() (data Holding, hints map[int]Holding) {
	hints = map[int]Holding{}
	err := b.store.Scan(nil, nil, func(key, value []byte) bool {
		if key[0] != prefixRecord {
			return true
		}
		r, err := decodeRecord(key, value)
		require.NoError(b.t, err)
		partition := uint16(key[1])<<8 | uint16(key[2])
		h := Holding{Records: 1, Bytes: int64(len(key) + recordOverhead + len(r.Doc)), Documents: int64(len(r.Doc))}
		if r.Tombstone {
			h.Records, h.Tombstones = 0, 1
		}
		if partition == asW {
			sum := hints[int(partition)]
			sum.add(h)
			hints[int(partition)] = sum
			return true
		}
		data.add(h)
		return true
	})
	require.NoError(b.t, err)
	return data, hints
}

// told is what the replies that left said of one key.
type told struct {
	promised  register.Ballot // highest that was promised or accepted
	accepted  register.Ballot
	forgotten register.Ballot // highest that was handed off
}

// TestRepliesSurviveCrashes: random requests, syncs of some of the writes, forgotten
// hints, crashes and orderly stops. What a reply said stays true, and the counts
// are right.
func TestRepliesSurviveCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		words := map[string]*told{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := rapid.SampledFrom([]uint16{asD1, asD2, asW}).Draw(t, "partition")
			key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
			at := rapid.Int64Range(1, 40).Draw(t, "at")
			switch rapid.IntRange(0, 7).Draw(t, "kind") {
			case 0, 1:
				b.note(t, words, prepare(p, key, at))
			case 2:
				b.note(t, words, accept(p, key, rec(at, "doc"[:at%4])))
			case 3:
				b.note(t, words, accept(p, key, tombstone(at)))
			case 4:
				b.store.SyncN(rapid.IntRange(0, 3).Draw(t, "synced"))
			case 5:
				hints, err := b.Hints(asW, "", 10)
				require.NoError(t, err)
				b.Forget(asW, b.Disks(asW), hints, func(int, error) {})
				for _, h := range hints {
					words[name(asW, h.Key)].forgotten = h.Record.Ballot
				}
			case 6:
				b.crash(rapid.IntRange(0, b.store.Waiting()).Draw(t, "kept"))
			case 7:
				b.Seal(func(err error) { require.NoError(t, err) })
				b.store.Sync()
				require.NoError(t, b.store.Close())
				b.open()
			}
		}
		b.store.Sync()
		b.judge(t, words)
		b.crash(0)
		b.store.Sync()
		b.judge(t, words)
	})
}

func name(p uint16, key string) string { return string(rune('0'+p)) + key }

// note serves q and keeps in mind what its reply says, if one leaves.
func (b *bench) note(t *rapid.T, words map[string]*told, q register.Request) {
	n := name(q.Partition, q.Key)
	if words[n] == nil {
		words[n] = &told{}
	}
	w := words[n]
	at := q.Ballot
	if q.Kind == register.KindAccept {
		at = q.Record.Ballot
	}
	b.Serve([]register.Request{q}, func(replies []register.Reply) {
		if replies == nil || replies[0].Verdict != register.VerdictYes {
			return
		}
		w.promised = register.Max(w.promised, at)
		if q.Kind == register.KindAccept {
			w.accepted = register.Max(w.accepted, at)
		}
	})
}

func (b *bench) judge(t *rapid.T, words map[string]*told) {
	for n, w := range words {
		p, key := uint16(n[0]-'0'), n[1:]
		held := b.ask(read(p, key)).Record
		if w.forgotten.Less(w.accepted) {
			require.False(t, held.Ballot.Less(w.accepted), "%s: said to hold %s, holds %s", n, w.accepted, held.Ballot)
		}
		if w.promised.IsZero() {
			continue
		}
		q := prepare(p, key, w.promised.Time-testNow)
		require.NotEqual(t, register.VerdictYes, b.ask(q).Verdict, "%s: %s promised twice", n, w.promised)
	}
	data, hints := b.recount()
	status := b.Status()
	require.Equal(t, data, status.Data)
	require.Equal(t, hints, status.Hints)
}

func anyBallot() *rapid.Generator[register.Ballot] {
	return rapid.Custom(func(t *rapid.T) register.Ballot {
		return register.Ballot{Time: rapid.Int64().Draw(t, "time"), Proposer: rapid.Uint64().Draw(t, "proposer")}
	})
}

func TestStoredRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := recordKey(rapid.Uint16().Draw(t, "partition"), rapid.String().Draw(t, "key"))
		r := register.Record{Ballot: anyBallot().Draw(t, "ballot"), Tombstone: rapid.Bool().Draw(t, "tombstone")}
		r.Op = r.Ballot
		if rapid.Bool().Draw(t, "op") {
			r.Op = anyBallot().Draw(t, "op id")
		}
		if !r.Tombstone {
			r.Doc = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "doc")
		}
		value := encodeRecord(key, r)
		got, err := decodeRecord(key, value)
		require.NoError(t, err)
		require.Equal(t, r, got)

		bit := rapid.IntRange(0, 8*len(value)-1).Draw(t, "bit")
		value[bit/8] ^= 1 << (bit % 8)
		_, err = decodeRecord(key, value)
		require.ErrorIs(t, err, ErrChecksum)
		value[bit/8] ^= 1 << (bit % 8)
		_, err = decodeRecord(append(key, 'x'), value)
		require.ErrorIs(t, err, ErrChecksum, "a value under another key")

		d := register.Durable{Floor: anyBallot().Draw(t, "floor"), Horizon: rapid.Int64().Draw(t, "horizon")}
		state, err := decodeState(key, encodeState(key, d))
		require.NoError(t, err)
		require.Equal(t, d, state)
	})
}
