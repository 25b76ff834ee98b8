package nodeclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// TestSendWaitsForNobody: not for a node that reads no more, with more on its way to it
// than the connection holds.
func TestSendWaitsForNobody(t *testing.T) {
	n := startNode(t)
	frozen, thaw := make(chan struct{}), make(chan struct{})
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.StreamProtocol + "\r\n\r\n"))
		n.serveOne(conn)
		_, _ = conn.Read(make([]byte, 1)) // of the large one
		close(frozen)
		<-thaw
	})
	n.upgrade.Store(&upgrade)
	c := n.client(func(cfg *nodeclient.Config) { cfg.FrameTimeout = 3 * patience }) // not the end of the wait below
	t.Cleanup(func() { close(thaw) })
	large := accept("a")
	large.Record.Doc = make([]byte, 64<<20)
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	send(c, large)
	<-frozen

	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(c, read("b"))
	}()
	eventually(t, "Send returns", func() bool {
		select {
		case <-sent:
			return true
		default:
			return false
		}
	})
}
