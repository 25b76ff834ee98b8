package service

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// unusedGrace is how long a connection that never carried a request may stay
// when its server drains.
const unusedGrace = 100 * time.Millisecond

// Linger is how a server stops, so that its clients lose nothing. Either time is
// cut short when no connection is left. A client that is just connecting when the
// listener goes may find its connection reset, and one that sends a request on a
// connection unused for as long as Farewell, closed.
type Linger struct {
	// Unready is how long it serves on while it says that it is not ready.
	Unready time.Duration
	// Farewell is how long it then serves those connected, while each reply asks to
	// close its connection.
	Farewell time.Duration
	// Streams are those that the handler has, or nil.
	Streams Streams
}

// Streams are connections that a handler has taken over from its server.
type Streams interface {
	// Farewell tells the clients that the service is about to go, so that they send
	// nothing more and close the streams when they have got their replies.
	Farewell()
	// Wait returns when no stream is open, or after most.
	Wait(most time.Duration)
	// Close ends the streams that are left.
	Close()
}

// farewell tells clients that the server is about to go: each reply asks to close
// its connection. So whoever sends requests learns of it by a good reply, not by
// a connection that breaks under a request.
type farewell struct {
	saying atomic.Bool
	next   http.Handler
}

// ServeHTTP satisfies http.Handler.
func (f *farewell) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.saying.Load() {
		w.Header().Set("Connection", "close")
	}
	f.next.ServeHTTP(w, r)
}

// once is a listener of which only the first Close counts.
type once struct {
	net.Listener
	close sync.Once
}

// Close satisfies net.Listener.
func (o *once) Close() (err error) {
	o.close.Do(func() { err = o.Listener.Close() })
	return err
}

// openConns are a server's connections. Those on which no byte came yet matter,
// since a client's pool may hold some for long, and a draining server would wait
// for all of them as it waits for requests.
type openConns struct {
	mu     sync.Mutex
	unused map[net.Conn]bool // all that are open
	closed chan struct{}     // has a token when some were closed
}

func newOpenConns() *openConns {
	return &openConns{unused: map[net.Conn]bool{}, closed: make(chan struct{}, 1)}
}

func (o *openConns) note(c net.Conn, state http.ConnState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if state != http.StateClosed && state != http.StateHijacked {
		o.unused[c] = state == http.StateNew
		return
	}
	delete(o.unused, c)
	select {
	case o.closed <- struct{}{}:
	default:
	}
}

// awaitNone returns when no connection is open, or after most.
func (o *openConns) awaitNone(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for o.count() > 0 {
		select {
		case <-o.closed:
		case <-timer.C:
			return
		}
	}
}

func (o *openConns) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unused)
}

// hurry gives what is unused now a last chance to bring a request.
func (o *openConns) hurry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c, unused := range o.unused {
		if unused {
			_ = c.SetReadDeadline(time.Now().Add(unusedGrace)) // one that is gone is no hindrance
		}
	}
}
