package nodeclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the wait for what must happen; nothing is expected to take it.
const patience = 20 * time.Second

// node stands in for a dbnode on a real socket. It answers each request with its
// key's length as epoch.
type node struct {
	t        *testing.T
	address  string
	server   *http.Server
	frame    atomic.Pointer[func(w http.ResponseWriter, f wire.RequestFrame) bool] // true: it has answered
	notReady atomic.Bool
	probes   atomic.Int64

	mu    sync.Mutex
	sizes []int // of the frames, in messages
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t}
	n.serve("127.0.0.1:0")
	t.Cleanup(n.stop)
	return n
}

func (n *node) serve(address string) {
	n.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(n.t.Context(), "tcp", address)
	require.NoError(n.t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathFrame, n.answer)
	mux.HandleFunc("GET "+wire.PathReady, func(w http.ResponseWriter, _ *http.Request) {
		n.probes.Add(1)
		if n.notReady.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	n.address = l.Addr().String()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	n.server = server
	go func() { _ = server.Serve(l) }() // ends with stop
}

func (n *node) stop() { _ = n.server.Close() }

func (n *node) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	f, err := wire.DecodeRequests(body)
	if err != nil {
		n.t.Error(err)
		return
	}
	n.mu.Lock()
	n.sizes = append(n.sizes, len(f.Requests))
	n.mu.Unlock()
	if answer := n.frame.Load(); answer != nil && (*answer)(w, f) {
		return
	}
	replies := make([]register.Reply, len(f.Requests))
	for i, q := range f.Requests {
		replies[i] = register.Reply{Verdict: register.VerdictYes, Epoch: uint64(len(q.Key))}
	}
	_, _ = w.Write(wire.AppendReplies(nil, replies))
}

// onFrame sets what is done with each frame before it is answered.
func (n *node) onFrame(do func(w http.ResponseWriter, f wire.RequestFrame) bool) { n.frame.Store(&do) }

func (n *node) frames() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]int{}, n.sizes...)
}

// client talks to the node as db-0 of a cluster with 64 partitions; a frame may
// take as long as the test.
func (n *node) client(change ...func(*nodeclient.Config)) *nodeclient.Client {
	cfg := nodeclient.Config{
		Node:         nodeclient.Node{ID: "db-0", URL: "http://" + n.address},
		Partitions:   64,
		FrameTimeout: patience,
	}
	for _, f := range change {
		f(&cfg)
	}
	c := nodeclient.New(cfg)
	n.t.Cleanup(c.Close)
	return c
}

// hold keeps every frame from being answered until the returned function, which
// may be called twice, is called.
func (n *node) hold() (release func()) {
	gate := make(chan struct{})
	n.onFrame(func(http.ResponseWriter, wire.RequestFrame) bool { <-gate; return false })
	release = sync.OnceFunc(func() { close(gate) })
	n.t.Cleanup(release)
	return release
}

// cut breaks the connection of a request that was read.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func read(key string) register.Request { return register.Request{Kind: register.KindRead, Key: key} }

func accept(key string) register.Request {
	b := register.Ballot{Time: 1}
	return register.Request{Kind: register.KindAccept, Key: key, Record: register.Record{Ballot: b, Op: b, Doc: []byte("{}")}}
}

// send sends q and returns where the reply will be.
func send(c *nodeclient.Client, q register.Request) <-chan register.Reply {
	return sendUntil(c, q, time.Now().Add(patience))
}

func sendUntil(c *nodeclient.Client, q register.Request, deadline time.Time) <-chan register.Reply {
	reply := make(chan register.Reply, 2) // one too many would show
	c.Send(q, deadline, func(r register.Reply) { reply <- r })
	return reply
}

func await(t *testing.T, replies <-chan register.Reply) register.Reply {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-replies:
		return r
	case <-timer.C:
		require.Fail(t, "no reply came")
	}
	return register.Reply{}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(t, fmt.Sprint("never happened: ", what))
		}
	}
}
