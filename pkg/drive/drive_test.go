package drive_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

const budget = 200 * time.Millisecond

// inBubble runs a test with its own clock, over a network that a driver knows.
func inBubble(t *testing.T, test func(t *testing.T, n *network, d *drive.Driver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		d := n.driver(t, 1)
		n.warm(t, d)
		test(t, n, d)
	})
}

func TestTwoNodesAndNoWaitWhenAllIsWell(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		r, err := d.Do(t.Context(), within(budget, "k", set("1")))
		require.NoError(t, err)
		require.Equal(t, "1", string(r.Record.Doc))
		require.False(t, r.ThirdAsked)
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1", "0s accept n0", "0s accept n1"}, n.sent())

		r, err = d.Do(t.Context(), within(budget, "k", nil))
		require.NoError(t, err)
		require.Equal(t, "1", string(r.Record.Doc))
		require.Equal(t, []string{"0s read n0", "0s read n1"}, n.sent())
	})
}

func TestLateAnswerIsHedged(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(node int, _ register.Request) fate {
			if node == 1 {
				return fate{after: 30 * time.Millisecond}
			}
			return fate{}
		}
		r, err := d.Do(t.Context(), within(budget, "k", set("1")))
		require.NoError(t, err)
		require.True(t, r.ThirdAsked)
		require.Equal(t, []string{
			"0s prepare n0", "0s prepare n1", "20ms prepare n2",
			"20ms accept n0", "20ms accept n2",
		}, n.sent(), "the late one is asked no more")
		pass(budget) // its answer comes: nobody waits for it
	})
}

// TestHedgeStartsOverWithEachPhase: 15 ms for each of two phases is not late.
func TestHedgeStartsOverWithEachPhase(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(int, register.Request) fate { return fate{after: 15 * time.Millisecond} }
		r, err := d.Do(t.Context(), within(budget, "k", set("1")))
		require.NoError(t, err)
		require.False(t, r.ThirdAsked)
		require.Equal(t, 30*time.Millisecond, time.Since(n.start))
	})
}

func TestNodesThatAreDownAreAskedLast(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		for node, want := range [][]string{
			{"0s read n1", "0s read n2"}, {"0s read n0", "0s read n2"}, {"0s read n0", "0s read n1"},
		} {
			n.down = [3]bool{}
			n.down[node] = true
			_, err := d.Do(t.Context(), within(budget, "k", nil))
			require.NoError(t, err)
			require.Equal(t, want, n.sent())
		}
		n.down = [3]bool{true, true, true}
		_, err := d.Do(t.Context(), within(budget, "k", nil))
		require.NoError(t, err, "what is thought to be down is asked all the same")
	})
}

func TestPreferredSeatsAreAskedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		q := within(budget, "k", nil)
		q.Prefer = []int{register.SeatD2, register.SeatW}
		_, err := d.Do(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []string{"0s read n1", "0s read n2"}, n.sent())
	})
}

// TestBackOffGrows: with only one acceptor able, each new attempt waits longer,
// and after a few the operation is given up as not applied.
func TestBackOffGrows(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(node int, _ register.Request) fate {
			if node != 0 {
				return fate{instead: register.VerdictUnable}
			}
			return fate{}
		}
		_, err := d.Do(t.Context(), within(time.Second, "k", set("1")))
		require.ErrorIs(t, err, register.ErrUnavailable)
		var begun []time.Duration
		for _, line := range n.sent() {
			var at time.Duration
			text, kind, node := "", "", ""
			_, err := fmt.Sscan(line, &text, &kind, &node)
			require.NoError(t, err)
			require.Equal(t, "prepare", kind)
			if at, err = time.ParseDuration(text); node == "n0" {
				begun = append(begun, at)
			}
			require.NoError(t, err)
		}
		require.Len(t, begun, 4, "the attempts are bounded")
		require.Zero(t, begun[0])
		for i := 2; i < len(begun); i++ {
			require.Greater(t, begun[i]-begun[i-1], begun[i-1]-begun[i-2])
		}
	})
}

func TestDeadlineBeforeAnAcceptIsUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(int, register.Request) fate { return fate{silent: true} }
		_, err := d.Do(t.Context(), within(50*time.Millisecond, "k", set("1")))
		require.ErrorIs(t, err, register.ErrUnavailable)
		require.Equal(t, 50*time.Millisecond, time.Since(n.start), "no longer than its deadline")
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1", "20ms prepare n2"}, n.sent(), "and nothing is sent after it")
		_, err = d.Do(t.Context(), within(50*time.Millisecond, "k", nil))
		require.ErrorIs(t, err, register.ErrUnavailable)
	})
}

func TestDeadlineAfterAnAcceptIsUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(_ int, q register.Request) fate { return fate{silent: q.Kind == register.KindAccept} }
		_, err := d.Do(t.Context(), within(50*time.Millisecond, "k", set("1")))
		require.ErrorIs(t, err, register.ErrUnknown)
		require.Equal(t, 50*time.Millisecond, time.Since(n.start))
	})
}

// TestSlowAnswersAreWaitedForWhenThereIsNobodyElse: giving them up for lost would
// leave the change in doubt.
func TestSlowAnswersAreWaitedForWhenThereIsNobodyElse(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(node int, q register.Request) fate {
			switch {
			case node == 2:
				return fate{instead: register.VerdictUnsent}
			case q.Kind == register.KindAccept:
				return fate{after: 130 * time.Millisecond}
			}
			return fate{}
		}
		_, err := d.Do(t.Context(), within(budget, "k", set("1")))
		require.NoError(t, err)
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1", "0s accept n0", "0s accept n1", "20ms accept n2"}, n.sent())
	})
}

func TestEndOfContextEndsTheOperation(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(_ int, q register.Request) fate { return fate{silent: q.Kind == register.KindAccept} }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := d.Do(ctx, within(time.Minute, "k", set("1")))
		require.ErrorIs(t, err, register.ErrUnknown)
		require.Equal(t, 10*time.Millisecond, time.Since(n.start))
	})
}

// TestAnswersAfterTheEndAreDropped, however many come, and don't disturb what
// follows.
func TestAnswersAfterTheEndAreDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(int, register.Request) fate { return fate{after: 100 * time.Millisecond} }
		for range 100 {
			_, err := d.Do(t.Context(), within(30*time.Millisecond, "k", set("late")))
			require.ErrorIs(t, err, register.ErrUnavailable)
		}
		pass(time.Second)
		n.behave = func(int, register.Request) fate { return fate{} }
		_, err := d.Do(t.Context(), within(budget, "k", set("new")))
		require.NoError(t, err)
	})
}

// TestOvertakenChangeStartsOver: a rival writes between its prepare and its
// accept. All that were asked refuse the only copy of it that left, so it was
// not applied, and it goes again on top of the rival's.
func TestOvertakenChangeStartsOver(t *testing.T) {
	for _, sole := range []bool{true, false} {
		inBubble(t, func(t *testing.T, n *network, rival *drive.Driver) {
			overtaken := false
			d := driverOver(t, marking{n, sole}, 2)
			n.warm(t, d)
			r, err := d.Do(t.Context(), within(budget, "k", func(old []byte) ([]byte, error) {
				if !overtaken {
					overtaken = true
					_, err := rival.Do(t.Context(), within(budget, "k", set("rival")))
					require.NoError(t, err)
				}
				return append([]byte("own on "), old...), nil
			}))
			if !sole {
				require.ErrorIs(t, err, register.ErrUnknown, "a copy may have been taken before")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "own on rival", string(r.Record.Doc))
		})
	}
}

func TestRefusalOfTheChange(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		refusal := errors.New("exists")
		_, err := d.Do(t.Context(), within(budget, "k", func([]byte) ([]byte, error) { return nil, refusal }))
		require.ErrorIs(t, err, refusal)
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1"}, n.sent(), "nothing was stored")
	})
}

func TestBallotsAreAboveTheOneGiven(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		above := register.Ballot{Time: time.Now().Add(time.Second).UnixMicro(), Proposer: 9}
		_, err := d.Do(t.Context(), within(budget, "k", set("1")))
		require.NoError(t, err)
		q := within(budget, "k", nil)
		q.Rewrite, q.Above = true, above
		r, err := d.Do(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, "1", string(r.Record.Doc))
		require.True(t, above.Less(r.Record.Ballot))
		require.True(t, r.Record.Op.Less(above), "the content is as old as it was")
	})
}

// TestAPanicOfAChangeIsItsCallers, whoever brought the answer that it came with.
func TestAPanicOfAChangeIsItsCallers(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = func(int, register.Request) fate { return fate{after: time.Millisecond} }
		change := func([]byte) ([]byte, error) { panic("a bug") }
		defer func() { require.ErrorContains(t, fmt.Errorf("%v", recover()), "a bug") }()
		_, _ = d.Do(t.Context(), within(budget, "k", change))
		t.Error("the caller doesn't learn of it")
	})
}
