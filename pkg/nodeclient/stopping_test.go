package nodeclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// TestAStoppingNodeIsDownByItsOwnWord: a reply that ends its connection counts,
// and the node is down before anything to it was lost; it is up again when it is
// ready.
func TestAStoppingNodeIsDownByItsOwnWord(t *testing.T) {
	n := startNode(t)
	c := n.client()
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	require.True(t, c.Up())

	n.notReady.Store(true)
	n.onFrame(func(w http.ResponseWriter, _ wire.RequestFrame) bool {
		w.Header().Set("Connection", "close")
		return false
	})
	reply := await(t, send(c, read("a")))
	require.Equal(t, register.VerdictYes, reply.Verdict)
	require.True(t, reply.Sole)
	require.False(t, c.Up())
	require.ErrorContains(t, c.Err(), "stopping")

	n.onFrame(func(http.ResponseWriter, wire.RequestFrame) bool { return false })
	n.notReady.Store(false)
	eventually(t, "up again", c.Up)
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	require.True(t, c.Up())
	require.Positive(t, c.Reply())
}
