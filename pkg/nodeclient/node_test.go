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
// key's length as epoch, and each frame on its own.
type node struct {
	t        *testing.T
	address  string
	server   *http.Server
	frame    atomic.Pointer[func(s *served, requests []register.Request) bool] // true: it has answered
	upgrade  atomic.Pointer[http.HandlerFunc]                                  // nil to turn connections over
	notReady atomic.Bool
	probes   atomic.Int64
	upgrades atomic.Int64

	mu      sync.Mutex
	sizes   []int // of the frames, in messages
	streams map[net.Conn]bool
	under   sync.WaitGroup
}

// served is a frame that a node got.
type served struct {
	conn   net.Conn
	number uint32
}

// answer sends the body of a frame that answers this one.
func (s *served) answer(body []byte) {
	frame := append(wire.AppendHead(nil), body...)
	wire.SetHead(frame, s.number)
	_, _ = s.conn.Write(frame) // a client that is gone needs no answer
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, streams: map[net.Conn]bool{}}
	n.serve("127.0.0.1:0")
	t.Cleanup(func() { n.stop(); n.under.Wait() })
	return n
}

func (n *node) serve(address string) {
	n.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(n.t.Context(), "tcp", address)
	require.NoError(n.t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.PathStream, n.stream)
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

// stop ends the server and every stream.
func (n *node) stop() {
	_ = n.server.Close()
	n.mu.Lock()
	for conn := range n.streams {
		_ = conn.Close()
	}
	n.mu.Unlock()
}

// stream turns a connection over to frames and serves each.
func (n *node) stream(w http.ResponseWriter, r *http.Request) {
	n.upgrades.Add(1)
	if upgrade := n.upgrade.Load(); upgrade != nil {
		(*upgrade)(w, r)
		return
	}
	if r.Header.Get(wire.HeaderTo) != "db-0" || r.Header.Get(wire.HeaderPartitions) != "64" || r.Header.Get("Upgrade") != wire.StreamProtocol {
		n.t.Errorf("upgrade with %v", r.Header)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		n.t.Error(err)
		return
	}
	n.mu.Lock()
	n.streams[conn] = true
	n.mu.Unlock()
	defer conn.Close()
	_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.StreamProtocol + "\r\n\r\n"))
	for n.serveOne(conn) {
	}
}

// serveOne reads a frame and has it served; false when there is none.
func (n *node) serveOne(conn net.Conn) bool {
	var head [wire.HeadSize]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return false
	}
	number, size, err := wire.Head(head)
	if err != nil {
		n.t.Error(err)
		return false
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return false
	}
	n.under.Go(func() { n.serveFrame(&served{conn, number}, body) })
	return true
}

func (n *node) serveFrame(s *served, body []byte) {
	requests, err := wire.DecodeRequests(body)
	if err != nil {
		n.t.Error(err)
		return
	}
	n.mu.Lock()
	n.sizes = append(n.sizes, len(requests))
	n.mu.Unlock()
	if answer := n.frame.Load(); answer != nil && (*answer)(s, requests) {
		return
	}
	replies := make([]register.Reply, len(requests))
	for i, q := range requests {
		replies[i] = register.Reply{Verdict: register.VerdictYes, Epoch: uint64(len(q.Key))}
	}
	s.answer(wire.AppendReplies(nil, replies))
}

// onFrame sets what is done with each frame before it is answered.
func (n *node) onFrame(do func(s *served, requests []register.Request) bool) { n.frame.Store(&do) }

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
	n.onFrame(func(*served, []register.Request) bool { <-gate; return false })
	release = sync.OnceFunc(func() { close(gate) })
	n.t.Cleanup(release)
	return release
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
