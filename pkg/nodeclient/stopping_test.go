package nodeclient_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// TestAStoppingNodeIsDownByItsOwnWord: what was under way when it said farewell is
// answered, and the node is down before anything to it was lost; it is up again
// when it is ready.
func TestAStoppingNodeIsDownByItsOwnWord(t *testing.T) {
	n := startNode(t)
	c := n.client()
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	require.True(t, c.Up())

	n.notReady.Store(true)
	n.onFrame(func(s *served, _ []register.Request) bool {
		(&served{s.conn, wire.Farewell}).answer(nil)
		eventually(t, "down", func() bool { return !c.Up() })
		return false
	})
	reply := await(t, send(c, read("a")))
	require.Equal(t, register.VerdictYes, reply.Verdict)
	require.True(t, reply.Sole)
	require.False(t, c.Up())
	require.ErrorContains(t, c.Err(), "stopping")

	n.onFrame(func(*served, []register.Request) bool { return false })
	n.notReady.Store(false)
	eventually(t, "up again", c.Up)
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	require.True(t, c.Up())
	require.Positive(t, c.Reply())
	require.EqualValues(t, 2, n.upgrades.Load(), "nothing more was sent on the stream that it left")
}
