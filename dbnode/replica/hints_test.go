package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/register"
)

func TestScanErrorsAreNoHints(t *testing.T) {
	b := newBench(t)
	_, err := b.Hints(asD1, "", 1)
	require.ErrorContains(t, err, "not the witness")
	require.NoError(t, b.store.Close())
	_, err = b.Hints(asW, "", 1)
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = Open(testConfig(t, 5), b.store)
	require.ErrorIs(t, err, store.ErrClosed)
}

func TestHintsComeInOrderAndInPieces(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.ask(accept(asW, fmt.Sprintf("k%d", i), rec(int64(i+1), "x")))
	}
	pending := b.serve(accept(asW, "k9", rec(9, "x")))
	var keys []string
	for after := ""; ; {
		hints, err := b.Hints(asW, after, 2)
		require.NoError(t, err)
		if len(hints) == 0 {
			break
		}
		require.LessOrEqual(t, len(hints), 2)
		for _, h := range hints {
			keys = append(keys, h.Key)
		}
		after = keys[len(keys)-1]
	}
	require.Equal(t, []string{"k0", "k1", "k2", "k3", "k4"}, keys, "only durable ones")
	require.Zero(t, pending.calls)
}

func TestForgetComparesAndIsDurable(t *testing.T) {
	b := newBench(t)
	for _, key := range []string{"same", "newer", "gone"} {
		b.ask(accept(asW, key, rec(1, "x")))
	}
	hints, err := b.Hints(asW, "", 10)
	require.NoError(t, err)
	require.Len(t, hints, 3)
	epoch := b.ask(read(asW, "none")).Epoch
	b.serve(accept(asW, "newer", rec(2, "y"))) // on its way to disk
	gone := func(n int, err error) { require.NoError(t, err); require.Equal(t, 1, n) }
	b.Forget(asW, b.Disks(asW), []register.Hint{{Key: "gone", Record: rec(1, "x")}, {Key: "gone", Record: rec(1, "x")}}, gone)
	b.store.Sync()

	var forgotten []int
	b.Forget(asW, b.Disks(asW), hints, func(n int, err error) {
		require.NoError(t, err)
		forgotten = append(forgotten, n)
	})
	r := b.serve(read(asW, "same"))
	require.Empty(t, forgotten)
	require.Zero(t, r.calls, "a blank that may come back")
	b.store.Sync()
	require.Equal(t, []int{1}, forgotten)
	require.True(t, r.replies[0].Record.Blank())
	require.NotEqual(t, epoch, r.replies[0].Epoch)
	require.Equal(t, "y", string(b.ask(read(asW, "newer")).Record.Doc))
	require.Equal(t, Holding{Records: 1, Bytes: b.Status().Hints[int(asW)].Bytes, Documents: 1}, b.Status().Hints[int(asW)])

	b.crash(0)
	require.True(t, b.ask(read(asW, "same")).Record.Blank())
	require.Equal(t, register.VerdictRefused, b.ask(accept(asW, "same", rec(1, "x"))).Verdict,
		"its promise outlives the hint and the crash")
}

func TestForgettingNothingIsDone(t *testing.T) {
	b := newBench(t)
	epoch := b.ask(read(asW, "k")).Epoch
	calls := 0
	b.Forget(asW, b.Disks(asW), []register.Hint{{Key: "k", Record: rec(1, "x")}}, func(n int, err error) {
		require.NoError(t, err)
		require.Zero(t, n)
		calls++
	})
	b.store.Sync()
	require.Equal(t, 1, calls)
	require.Equal(t, epoch, b.ask(read(asW, "k")).Epoch, "nothing was forgotten")
}

func TestFailedForgetSaysSo(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asW, "k", rec(1, "x")))
	full := errors.New("disk full")
	b.disk.Break(full)
	var got error
	b.Forget(asW, b.Disks(asW), []register.Hint{{Key: "k", Record: rec(1, "x")}}, func(_ int, err error) { got = err })
	b.store.Sync()
	require.ErrorIs(t, got, full)
	require.ErrorIs(t, <-b.Failed(), full)
}

// TestOldestHint: no hint that is held is older than what the status says, which
// starts anew once a partition holds none.
func TestOldestHint(t *testing.T) {
	b := newBench(t)
	oldest := func() int64 { return b.Status().Oldest[int(asW)] }
	require.Empty(t, b.Status().Oldest)
	b.ask(accept(asW, "a", rec(8, "x")))
	b.ask(accept(asW, "older", rec(3, "x")))
	b.ask(accept(asD1, "data", rec(1, "x")))
	require.Equal(t, ballot(3).Time, oldest())
	require.Len(t, b.Status().Oldest, 1, "hints alone")
	b.crash(0)
	require.Equal(t, ballot(3).Time, oldest(), "a start tells it from what is stored")

	hints, err := b.Hints(asW, "", 10)
	require.NoError(t, err)
	b.Forget(asW, b.Disks(asW), hints, func(_ int, err error) { require.NoError(t, err) })
	b.store.Sync()
	require.Empty(t, b.Status().Oldest)
	b.ask(accept(asW, "late", rec(20*testNow, "x")))
	require.Equal(t, ballot(20*testNow).Time, oldest())
}

// TestTombstonesWaitForABacklogOfHints: the floors that collecting raises would
// keep all of these hints out.
func TestTombstonesWaitForABacklogOfHints(t *testing.T) {
	b := newBench(t)
	bar := register.Request{Kind: register.KindBar, Partition: asW, Key: "gone", Ballot: ballot(50), Disks: testDisks}
	for i := range hintBacklog + 1 {
		require.Equal(t, register.VerdictYes, b.ask(accept(asW, fmt.Sprint("k", i), rec(100, "x"))).Verdict)
	}
	require.Equal(t, register.VerdictUnable, b.ask(bar).Verdict)
	require.Equal(t, register.VerdictYes, b.ask(accept(asW, "new", rec(40, "x"))).Verdict, "the floor is where it was")

	hints, err := b.Hints(asW, "", 2)
	require.NoError(t, err)
	b.Forget(asW, b.Disks(asW), hints, func(int, error) {})
	require.Equal(t, register.VerdictYes, b.ask(bar).Verdict)
	require.Equal(t, register.VerdictRefused, b.ask(accept(asW, "newer", rec(45, "x"))).Verdict)
}
