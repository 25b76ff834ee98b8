package drive_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

// fullNodes have no room for what asks for it.
func fullNodes(nodes ...int) func(int, register.Request) fate {
	return func(node int, q register.Request) fate {
		for _, n := range nodes {
			if n == node && q.Grows {
				return fate{instead: register.VerdictFull}
			}
		}
		return fate{}
	}
}

func growing(q drive.Request) drive.Request {
	q.Grows = true
	return q
}

// TestFullNodeIsAvoidedForAWhile by what needs room, and by nothing else.
func TestFullNodeIsAvoidedForAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = fullNodes(0)
		do := func(q drive.Request) []string {
			n.start = time.Now()
			_, err := d.Do(t.Context(), q)
			require.NoError(t, err)
			return n.sent()
		}
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1", "0s prepare n2", "0s accept n1", "0s accept n2"},
			do(growing(within(budget, "k", set("1")))))
		require.Equal(t, []string{"0s prepare n1", "0s prepare n2", "0s accept n1", "0s accept n2"},
			do(growing(within(budget, "k", set("2")))), "it is not asked again at once")
		require.Equal(t, "0s read n0", do(within(budget, "k", nil))[0], "reads don't avoid it")
		require.Equal(t, "0s prepare n0", do(within(budget, "k", set("3")))[0], "nor does what needs no room")
		pass(500 * time.Millisecond)
		require.Equal(t, "0s prepare n1", do(growing(within(budget, "k", set("4"))))[0])
		pass(time.Millisecond)
		require.Equal(t, "0s prepare n0", do(growing(within(budget, "k", set("5"))))[0], "it may have room again")
	})
}

// TestTwoFullNodesEndAChangeAtOnce, with nothing sent that could be stored.
func TestTwoFullNodesEndAChangeAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, d *drive.Driver) {
		n.behave = fullNodes(0, 2)
		_, err := d.Do(t.Context(), growing(within(budget, "k", set("1"))))
		require.ErrorIs(t, err, register.ErrNoSpace)
		require.Zero(t, time.Since(n.start))
		require.Equal(t, []string{"0s prepare n0", "0s prepare n1", "0s prepare n2"}, n.sent())
		_, err = d.Do(t.Context(), within(budget, "k", set("2")))
		require.NoError(t, err, "what needs no room goes on")
	})
}
