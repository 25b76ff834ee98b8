package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
)

// sums returns what a partition holds and its digest.
func (b *bench) sums(partition uint16) (Holding, digest.Tree) {
	var tree digest.Tree
	b.Digest(partition, func(d digest.Tree, err error) { require.NoError(b.t, err); tree = d })
	b.store.Sync()
	return b.parts[partition].held, tree
}

// TestDamagedRecordIsReplacedAboveItsBar in each seat, met by a request or at the
// start: nothing below the bar is taken meanwhile, and afterwards the sums are
// those of a replica that holds the new record alone.
func TestDamagedRecordIsReplacedAboveItsBar(t *testing.T) {
	for _, seat := range []uint16{asD1, asD2, asW} {
		for _, restart := range []bool{false, true} {
			b := newBench(t)
			b.ask(accept(seat, "k", rec(7, "old")))
			b.spoil(recordKey(seat, "k"))
			if restart {
				b.crash(0)
			}
			require.Equal(t, register.VerdictUnable, b.ask(read(seat, "k")).Verdict)
			damaged := b.Damaged()
			require.Len(t, damaged, 1)
			require.Equal(t, seat, damaged[0].Partition)
			bar := damaged[0].Bar
			require.True(t, ballot(7).Less(bar))
			require.Equal(t, DamageCount{Found: 1}, b.DamageCount())

			below, at := bar, bar
			below.Time--
			at.Proposer = 1
			b.ask(accept(seat, "other", register.Record{Ballot: register.Ballot{Time: bar.Time + 9, Proposer: 1}, Op: at, Doc: []byte("o")}))
			require.Equal(t, register.VerdictUnable, b.ask(accept(seat, "k", register.Record{Ballot: below, Op: below})).Verdict)
			whole := register.Record{Ballot: at, Op: at, Doc: []byte("new")}
			require.Equal(t, register.VerdictYes, b.ask(accept(seat, "k", whole)).Verdict, "though the horizon has moved")
			require.Equal(t, whole, b.ask(read(seat, "k")).Record)
			require.Empty(t, b.Damaged())
			require.Equal(t, DamageCount{Found: 1, Healed: 1}, b.DamageCount())

			held, tree := b.sums(seat)
			b.crash(0)
			heldAnew, treeAnew := b.sums(seat)
			require.Equal(t, heldAnew, held)
			require.Equal(t, treeAnew, tree)
			require.Equal(t, int64(2), held.Records)
		}
	}
}

// A floor that rose since the damage was noticed keeps out what is only above the bar.
func TestDamageIsToBeReplacedAboveTheFloor(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asW, "k", rec(7, "old")))
	b.spoil(recordKey(asW, "k"))
	b.ask(read(asW, "k"))
	bar := b.Damaged()[0].Bar
	floor := register.Ballot{Time: bar.Time + 5, Proposer: 1}
	reply := b.ask(register.Request{Kind: register.KindBar, Partition: asW, Key: "other", Ballot: floor, Disks: testDisks})
	require.Equal(t, register.VerdictYes, reply.Verdict)
	require.Equal(t, floor, b.Damaged()[0].Bar)
}

// TestSumsAreOfWhatIsWhole, also of what is on its way to disk.
func TestSumsAreOfWhatIsWhole(t *testing.T) {
	b, expected := newBench(t), newBench(t)
	for _, x := range []*bench{b, expected} {
		x.ask(accept(asD2, "fine", rec(2, "x")))
	}
	b.ask(accept(asD2, "k", rec(1, "x")))
	b.spoil(recordKey(asD2, "k"))
	b.ask(read(asD2, "k"))
	for _, x := range []*bench{b, expected} {
		x.serve(accept(asD2, "fine", rec(3, "under way")))
	}
	held, tree := b.sums(asD2)
	expectedHeld, expectedTree := expected.sums(asD2)
	require.Equal(t, expectedHeld, held)
	require.Equal(t, expectedTree, tree)
}

// TestReplacedTombstoneLeavesNoMark, nor does a record that becomes one lack it.
func TestReplacedTombstoneLeavesNoMark(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asD1, "gone", tombstone(1)))
	b.ask(accept(asD1, "here", rec(1, "x")))
	for _, key := range []string{"gone", "here"} {
		b.spoil(recordKey(asD1, key))
		b.ask(read(asD1, key))
	}
	bar := b.Damaged()[0].Bar
	b.ask(accept(asD1, "gone", register.Record{Ballot: bar, Op: bar, Doc: []byte("x")}))
	b.ask(accept(asD1, "here", register.Record{Ballot: bar, Op: bar, Tombstone: true}))
	var marked []string
	from, to := partitionRange(prefixTombstone, asD1)
	require.NoError(t, b.store.Scan(from, to, func(key, _ []byte) bool {
		marked = append(marked, string(key[recordKeyHead:]))
		return true
	}))
	require.Equal(t, []string{"here"}, marked)
}

// TestCheckFindsDamage in pieces, and once each.
func TestCheckFindsDamage(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.ask(accept(asW, fmt.Sprint("k", i), rec(int64(i+1), "x")))
	}
	b.spoil(recordKey(asW, "k1"))
	b.spoil(recordKey(asW, "k4"))
	for range 2 {
		total := 0
		for after, more := "", true; more; {
			var n int
			var err error
			after, n, more, err = b.Check(asW, after, 2, 1<<20)
			require.NoError(t, err)
			require.LessOrEqual(t, n, 2)
			total += n
		}
		require.Equal(t, 5, total)
		require.Equal(t, int64(2), b.DamageCount().Found)
	}
	last, n, more, err := b.Check(asW, "", 100, 0)
	require.NoError(t, err)
	require.Equal(t, "k0", last)
	require.Equal(t, 1, n, "no more than the bytes allow")
	require.True(t, more)
}

// TestCheckRewritesTheState and the identity, which are in memory.
func TestCheckRewritesTheState(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "k", 1))
	for _, key := range [][]byte{stateKey(asD1), metaKey()} {
		before, err := b.store.Get(key)
		require.NoError(t, err)
		b.spoil(key)
		_, _, _, err = b.Check(asD1, "", 1, 1)
		require.NoError(t, err)
		b.store.Sync()
		after, err := b.store.Get(key)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	_, _, _, err := b.Check(asD1, "", 1, 1)
	require.NoError(t, err)
	require.Zero(t, b.store.Waiting(), "nothing is written while all is whole")
}

// TestDamagedPageIsAnError: who copies the partition must not take it for a blank.
func TestDamagedPageIsAnError(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asD2, "k", rec(1, "x")))
	b.spoil(recordKey(asD2, "k"))
	_, _, err := b.Page(asD2, "", 10, 1<<20)
	require.ErrorIs(t, err, ErrChecksum)
	require.Len(t, b.Damaged(), 1)
}

// TestCopiesDoNotReplaceDamage below the bar.
func TestCopiesDoNotReplaceDamage(t *testing.T) {
	b := newBench(t)
	b.Rejoin(2, func(err error) { require.NoError(t, err) })
	b.store.Sync()
	q := accept(asD1, "k", rec(5, "accepted while joining"))
	q.Disks = b.Disks(asD1)
	require.Equal(t, register.VerdictYes, b.ask(q).Verdict)
	b.spoil(recordKey(asD1, "k"))
	b.Copy(asD1, []register.Hint{{Key: "k", Record: rec(4, "older")}}, func(err error) { require.NoError(t, err) })
	b.store.Sync()
	require.Len(t, b.Damaged(), 1)
	bar := b.Damaged()[0].Bar
	b.Copy(asD1, []register.Hint{{Key: "k", Record: register.Record{Ballot: bar, Op: bar, Doc: []byte("z")}}}, func(err error) { require.NoError(t, err) })
	b.store.Sync()
	require.Empty(t, b.Damaged())
}

// TestTooMuchDamageIsALostDisk, and what is not kept track of stays refused.
func TestTooMuchDamageIsALostDisk(t *testing.T) {
	b := newBench(t)
	for i := range maxDamaged + 1 {
		b.serve(accept(asD2, fmt.Sprintf("k%04d", i), rec(int64(i+1), "x")))
	}
	b.store.Sync()
	for i := range maxDamaged {
		b.spoil(recordKey(asD2, fmt.Sprintf("k%04d", i)))
	}
	_, _, _, err := b.Check(asD2, "", maxDamaged+1, 1<<20)
	require.NoError(t, err)
	require.NoError(t, b.Lost())
	last := fmt.Sprintf("k%04d", maxDamaged)
	b.spoil(recordKey(asD2, last))
	require.Equal(t, register.VerdictUnable, b.ask(read(asD2, last)).Verdict)
	require.ErrorIs(t, b.Lost(), errTooManyDamaged)
	require.Len(t, b.Damaged(), maxDamaged)
}

// badStore can't read some of its medium.
type badStore struct {
	*mem.Manual
	bad bool
}

var errBadBlock = fmt.Errorf("%w: a block", store.ErrDamaged)

func (s *badStore) Get(key []byte) ([]byte, error) {
	if s.bad && key[0] == prefixRecord {
		return nil, errBadBlock
	}
	return s.Manual.Get(key)
}

func (s *badStore) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	if s.bad && from[0] == prefixRecord {
		return errBadBlock
	}
	return s.Manual.Scan(from, to, fn)
}

// TestUnreadableStoreIsALostDisk, met by a request or at the start; what can't be
// read is refused, and no digest is shown for it.
func TestUnreadableStoreIsALostDisk(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asD2, "k", rec(1, "x")))
	b.disk.Crash()
	st, err := mem.OpenManual(b.disk)
	require.NoError(t, err)
	bad := &badStore{Manual: st, bad: true}
	b.store = st
	b.Replica, err = Open(testConfig(t, 9), bad)
	require.NoError(t, err, "it serves what it can")
	require.ErrorIs(t, b.Lost(), store.ErrDamaged)
	b.Admit()
	b.store.Sync()
	require.Equal(t, register.VerdictUnable, b.ask(read(asD2, "k")).Verdict)
	require.Equal(t, register.VerdictUnable, b.ask(prepare(asD2, "k", 9)).Verdict)
	var digestErr error
	b.Digest(asD2, func(_ digest.Tree, err error) { digestErr = err })
	require.ErrorIs(t, digestErr, store.ErrDamaged)
	require.Empty(t, b.Damaged(), "it is not known which records are")

	bad.bad = false
	b.disk.Crash()
	st, err = mem.OpenManual(b.disk)
	require.NoError(t, err)
	bad.Manual, b.store = st, st
	b.Replica, err = Open(testConfig(t, 10), bad)
	require.NoError(t, err)
	require.NoError(t, b.Lost())
	b.Admit()
	b.store.Sync()
	bad.bad = true
	require.Equal(t, register.VerdictUnable, b.ask(read(asD2, "k")).Verdict)
	require.True(t, errors.Is(b.Lost(), store.ErrDamaged))
}

// TestLeavingNodeDoesNotCount for its peers, and answers all the same.
func TestLeavingNodeDoesNotCount(t *testing.T) {
	b := newBench(t)
	require.True(t, b.Votes())
	b.Leave(true)
	require.False(t, b.Votes())
	require.Equal(t, register.VerdictYes, b.ask(read(asD1, "k")).Verdict)
	b.Leave(false)
	require.True(t, b.Votes())
}
