package repair_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/dbnode/repair/mocks"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	witness = 2 // of partition 0, whose data replicas are the nodes 0 and 1
	page    = 32
)

// replicas are the data replicas as the witness reaches them.
type replicas struct {
	mu     sync.Mutex
	down   [placement.Nodes]bool
	answer func(node int, q register.Request) register.Reply // nil: yes to all
	silent bool
	taken  []string

	joining bool // a disk of the group is being rebuilt
}

// Send satisfies drive.Nodes.
func (r *replicas) Send(node int, q register.Request, _ time.Time, reply func(register.Reply)) {
	r.mu.Lock()
	r.taken = append(r.taken, fmt.Sprintf("%s n%d %s", q.Kind, node, q.Key))
	silent, answer := r.silent, r.answer
	r.mu.Unlock()
	switch {
	case silent:
	case answer == nil:
		reply(register.Reply{Verdict: register.VerdictYes})
	default:
		reply(answer(node, q))
	}
}

// SendLazy satisfies drive.Nodes.
func (r *replicas) SendLazy(int, register.Request) {}

// Up satisfies drive.Nodes.
func (r *replicas) Up(node int) bool { return !r.down[node] }

// disks are those of every group, as the witness knows them.
var disks = register.Incarnations{1, 1, 4}

type fixture struct {
	*replicas
	hints   *mocks.Hints
	rounds  *mocks.Rounds
	handoff *repair.Handoff
}

// newFixture is a witness of one of that many partitions.
func newFixture(t *testing.T, partitions int) fixture {
	t.Helper()
	places, err := placement.New(partitions)
	require.NoError(t, err)
	f := fixture{&replicas{}, mocks.NewHints(t), mocks.NewRounds(t), nil}
	f.hints.EXPECT().Disks(mock.Anything).Return(disks).Maybe()
	f.hints.EXPECT().AnyJoining(mock.Anything).RunAndReturn(func(uint16) bool { return f.joining }).Maybe()
	f.handoff = repair.NewHandoff(witness, places, f.hints, f, f.rounds)
	return f
}

// holds lets the witness hold these hints, the next time it looks.
func (f fixture) holds(partition uint16, after string, hints ...register.Hint) {
	f.hints.EXPECT().Hints(partition, after, page).Return(hints, nil).Once()
}

// forgets expects that these hints are forgotten, at once.
func (f fixture) forgets(partition uint16, hints ...register.Hint) {
	f.hints.EXPECT().Forget(partition, disks, hints, mock.Anything).
		Run(func(_ uint16, _ register.Incarnations, hints []register.Hint, done func(int, error)) {
			done(len(hints), nil)
		}).Once()
}

func (f fixture) step(t *testing.T) (busy bool) {
	t.Helper()
	busy, err := f.handoff.Step(t.Context())
	require.NoError(t, err)
	return busy
}

func hint(key string, at int64) register.Hint {
	b := register.Ballot{Time: at, Proposer: 1}
	return register.Hint{Key: key, Record: register.Record{Ballot: b, Op: b, Doc: []byte(key)}}
}

// refused is the answer of a replica that holds something at that time.
func refused(held int64) register.Reply {
	return register.Reply{Verdict: register.VerdictRefused, Held: register.Ballot{Time: held}}
}

func TestDeliveredHintsAreForgotten(t *testing.T) {
	f := newFixture(t, 1)
	a, b := hint("a", 5), hint("b", 6)
	f.holds(0, "", a, b)
	f.forgets(0, a, b)
	require.True(t, f.step(t))
	require.ElementsMatch(t, []string{"accept n0 a", "accept n1 a", "accept n0 b", "accept n1 b"}, f.taken)

	f.holds(0, "b")
	require.True(t, f.step(t), "the pass found work, so another is worth while")
	f.holds(0, "")
	require.False(t, f.step(t), "a whole pass found none")
}

// TestOnlyWhatBothHoldIsForgotten, be it that they took it or that they hold
// something at least as new.
func TestOnlyWhatBothHoldIsForgotten(t *testing.T) {
	f := newFixture(t, 1)
	taken, same, newer, lost, unable := hint("taken", 5), hint("same", 5), hint("newer", 5), hint("lost", 5), hint("unable", 5)
	f.answer = func(node int, q register.Request) register.Reply {
		switch {
		case node == 0 || q.Key == "taken":
			return register.Reply{Verdict: register.VerdictYes}
		case q.Key == "same":
			return register.Reply{Verdict: register.VerdictRefused, Held: q.Record.Ballot}
		case q.Key == "newer":
			return refused(6)
		case q.Key == "unable":
			return register.Reply{Verdict: register.VerdictUnable}
		}
		return register.Reply{Verdict: register.VerdictLost}
	}
	f.holds(0, "", taken, same, newer, lost, unable)
	f.forgets(0, taken, same, newer)
	require.True(t, f.step(t))
}

// TestRefusedHintIsRewrittenThenLookedAtAgain: a floor or a promise keeps it out
// of a replica that holds an older record or none.
func TestRefusedHintIsRewrittenThenLookedAtAgain(t *testing.T) {
	for seat := range 2 {
		for _, held := range []int64{0, 4} {
			f := newFixture(t, 1)
			h := hint("a", 5)
			f.answer = func(node int, _ register.Request) register.Reply {
				if node == seat {
					return refused(held)
				}
				return register.Reply{Verdict: register.VerdictYes}
			}
			f.holds(0, "", h)
			f.forgets(0)
			f.rounds.EXPECT().Do(mock.Anything, mock.MatchedBy(func(q drive.Request) bool {
				return q.Key == "a" && q.Rewrite && q.Change == nil && q.Above == h.Record.Ballot &&
					len(q.Prefer) == 2 && q.Prefer[0] == seat && q.Prefer[1] == register.SeatW
			})).Return(drive.Result{}, nil).Once()
			require.True(t, f.step(t))

			rewritten := hint("a", 9) // the witness took part in the rewrite
			f.answer = nil
			f.holds(0, "a")
			require.True(t, f.step(t))
			f.holds(0, "", rewritten)
			f.forgets(0, rewritten)
			require.True(t, f.step(t))
		}
	}
}

func TestRewritesOfABatchGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		f.answer = func(int, register.Request) register.Reply { return refused(1) }
		var hints []register.Hint
		for i := range page {
			hints = append(hints, hint(fmt.Sprintf("%03d", i), 5))
		}
		f.holds(0, "", hints...)
		f.forgets(0)
		start := time.Now()
		f.rounds.EXPECT().Do(mock.Anything, mock.Anything).
			RunAndReturn(func(context.Context, drive.Request) (drive.Result, error) {
				<-time.NewTimer(time.Second).C
				return drive.Result{}, nil
			}).Times(page)
		require.True(t, f.step(t))
		require.Equal(t, time.Second+15*time.Millisecond, time.Since(start), "all at once, then a rest")
	})
}

func TestFailedRewriteIsReported(t *testing.T) {
	f := newFixture(t, 1)
	f.answer = func(int, register.Request) register.Reply { return refused(1) }
	f.holds(0, "", hint("a", 5))
	f.forgets(0)
	f.rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{}, register.ErrUnavailable).Once()
	busy, err := f.handoff.Step(t.Context())
	require.ErrorIs(t, err, register.ErrUnavailable)
	require.True(t, busy)
}

// TestReplicaDownMeansNothingIsForgotten, nor even read or sent.
func TestReplicaDownMeansNothingIsForgotten(t *testing.T) {
	for node := range 2 {
		f := newFixture(t, 1)
		f.down[node] = true
		for range 3 {
			require.False(t, f.step(t))
		}
		require.Empty(t, f.taken)
		f.down[node] = false
		f.holds(0, "", hint("a", 5))
		f.forgets(0, hint("a", 5))
		require.True(t, f.step(t), "it starts when both answer again")
	}
}

// TestNoAnswerMeansNothingIsForgotten: the next pass starts over.
func TestNoAnswerMeansNothingIsForgotten(t *testing.T) {
	for _, verdict := range []register.Verdict{register.VerdictLost, register.VerdictUnsent, register.VerdictUnable} {
		f := newFixture(t, 1)
		f.answer = func(node int, _ register.Request) register.Reply {
			if node == 1 {
				return register.Reply{Verdict: verdict}
			}
			return register.Reply{Verdict: register.VerdictYes}
		}
		f.holds(0, "", hint("a", 5))
		f.forgets(0)
		_, err := f.handoff.Step(t.Context())
		require.ErrorContains(t, err, "none of 1 hints of partition 0", verdict)
		f.holds(0, "")
		f.step(t)
	}
}

// TestHintsWaitForRoom at a full replica, and the witness doesn't press it: it
// idles after each try, and goes on when there is room.
func TestHintsWaitForRoom(t *testing.T) {
	f := newFixture(t, 1)
	full := true
	f.answer = func(node int, q register.Request) register.Reply {
		if full && node == 1 && q.Grows {
			return register.Reply{Verdict: register.VerdictFull}
		}
		return register.Reply{Verdict: register.VerdictYes}
	}
	for range 3 {
		f.holds(0, "", hint("a", 5))
		f.forgets(0)
		require.False(t, f.step(t), "nothing to be done, and no error")
	}
	full = false
	f.holds(0, "", hint("a", 5))
	f.forgets(0, hint("a", 5))
	require.True(t, f.step(t))
}

func TestEndOfContextEndsTheWait(t *testing.T) {
	f := newFixture(t, 1)
	f.silent = true
	f.holds(0, "", hint("a", 5))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.handoff.Step(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// TestStoreErrorsAreReported, and keep no other partition waiting.
func TestStoreErrorsAreReported(t *testing.T) {
	broken := errors.New("the disk is on fire")
	f := newFixture(t, 6) // node 2 is the witness of 0 and 3
	f.hints.EXPECT().Hints(uint16(0), "", page).Return(nil, broken).Once()
	_, err := f.handoff.Step(t.Context())
	require.ErrorIs(t, err, broken)

	f.holds(3, "", hint("a", 5))
	f.hints.EXPECT().Forget(uint16(3), disks, mock.Anything, mock.Anything).
		Run(func(_ uint16, _ register.Incarnations, _ []register.Hint, done func(int, error)) { done(0, broken) }).Once()
	_, err = f.handoff.Step(t.Context())
	require.ErrorIs(t, err, broken)
	f.holds(0, "")
	f.step(t)
}

// TestPassGoesThroughItsPartitionsInBatches: the witness's own partitions only,
// each to its end.
func TestPassGoesThroughItsPartitionsInBatches(t *testing.T) {
	f := newFixture(t, 6) // node 2 is the witness of 0 and 3
	for _, p := range []uint16{0, 3} {
		f.holds(p, "", hint("a", 5))
		f.forgets(p, hint("a", 5))
		f.holds(p, "a", hint("b", 5))
		f.forgets(p, hint("b", 5))
		f.holds(p, "b")
	}
	for range 6 {
		require.True(t, f.step(t))
	}
	f.holds(0, "")
	f.holds(3, "")
	require.True(t, f.step(t), "one more partition to look at")
	require.False(t, f.step(t))
}

func TestWitnessOfNothingIsIdle(t *testing.T) {
	places, err := placement.New(1)
	require.NoError(t, err)
	h := repair.NewHandoff(0, places, mocks.NewHints(t), &replicas{}, mocks.NewRounds(t))
	busy, err := h.Step(t.Context())
	require.NoError(t, err)
	require.False(t, busy)
}

// TestAnOperationUnderWayHasNoRival: a hint that a fresh promise keeps out is left
// for later, since what promised it may be about to write; one that an old promise
// or a floor keeps out is rewritten.
func TestAnOperationUnderWayHasNoRival(t *testing.T) {
	now := time.Now().UnixMicro()
	for name, c := range map[string]struct {
		promised, floor int64
		rewritten       bool
	}{
		"a fresh promise":       {now, 0, false},
		"an old one":            {now - 2e6, 0, true},
		"one of a fast clock":   {now + 30e6, 0, true},
		"a floor, fresh or not": {now, now, true},
	} {
		f := newFixture(t, 1)
		f.answer = func(int, register.Request) register.Reply {
			r := refused(4)
			r.Highest, r.Floor = register.Ballot{Time: c.promised}, register.Ballot{Time: c.floor}
			return r
		}
		f.holds(0, "", hint("a", 5))
		f.forgets(0)
		if c.rewritten {
			f.rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{}, nil).Once()
		}
		require.Equal(t, c.rewritten, f.step(t), "%s: it may rest until then", name)
	}
}

// TestManyHintsLetRequestsPass: a full batch is followed by a rest that grows with
// the time it took, up to a bound; one that was the last is not.
func TestManyHintsLetRequestsPass(t *testing.T) {
	for name, c := range map[string]struct {
		hints      int
		took, step time.Duration
	}{
		"the last ones":              {page - 1, 3 * time.Millisecond, 3 * time.Millisecond},
		"more are to come":           {page, 3 * time.Millisecond, 12 * time.Millisecond},
		"more, and the disk is slow": {page, time.Second, time.Second + 15*time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 1)
			var hints []register.Hint
			for i := range c.hints {
				hints = append(hints, hint(fmt.Sprintf("k%02d", i), 5))
			}
			f.holds(0, "", hints...)
			f.hints.EXPECT().Forget(uint16(0), disks, hints, mock.Anything).
				Run(func(_ uint16, _ register.Incarnations, hints []register.Hint, done func(int, error)) {
					time.AfterFunc(c.took, func() { done(len(hints), nil) })
				}).Once()
			begun := time.Now()
			require.True(t, f.step(t))
			require.Equal(t, c.step, time.Since(begun), name)
		})
	}
}
