package nodeclient

import (
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// Bounds of a lane.
const (
	maxQueued      = 8192 // messages
	maxLazy        = 1024 // messages; the newest is dropped
	maxBatch       = 512  // messages of a frame
	maxBatchBytes  = 1 << 20
	lazyRidesAfter = 64 // lazy messages that are worth a frame of their own
)

// message is a request that waits for its reply.
type message struct {
	request  register.Request
	deadline time.Time
	reply    func(register.Reply) // nil for a lazy one
}

func (m message) answer(r register.Reply) {
	if m.reply != nil {
		m.reply(r)
	}
}

// lane is a bounded queue of messages; whoever takes gets all that waits, up to
// the size of a frame.
type lane struct {
	mu     sync.Mutex
	wake   sync.Cond
	queue  []message
	lazy   []register.Request
	under  int // frames under way, at most laneSlots
	closed bool
}

func newLane() *lane {
	l := &lane{}
	l.wake.L = &l.mu
	return l
}

func (l *lane) push(m message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.queue) >= maxQueued {
		return false
	}
	l.queue = append(l.queue, m)
	l.wake.Signal()
	return true
}

func (l *lane) pushLazy(q register.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.lazy) >= maxLazy {
		return
	}
	l.lazy = append(l.lazy, q)
	if len(l.lazy) >= lazyRidesAfter {
		l.wake.Signal()
	}
}

// enter counts a frame as under way that leaves at once, with the lazy ones that
// wait; false unless the lane is idle.
func (l *lane) enter() (lazy []register.Request, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.under > 0 || len(l.queue) > 0 {
		return nil, false
	}
	l.under++
	lazy, l.lazy = l.lazy, nil
	return lazy, true
}

// landed says that a frame is no longer under way.
func (l *lane) landed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	l.wake.Signal()
}

// take waits for messages, and until a frame may leave, and returns those for
// it; false when the lane is closed. Messages past their deadline are answered as
// unsent.
func (l *lane) take(now time.Time) ([]message, bool) {
	l.mu.Lock()
	for !l.closed && (l.under == laneSlots || len(l.queue) == 0 && len(l.lazy) < lazyRidesAfter) {
		l.wake.Wait()
		now = time.Now()
	}
	var batch, late []message
	size, n := 0, 0
	for ; n < len(l.queue) && len(batch) < maxBatch && size < maxBatchBytes; n++ {
		m := l.queue[n]
		if l.closed || now.After(m.deadline) {
			late = append(late, m)
			continue
		}
		batch = append(batch, m)
		size += wire.RequestSize(&m.request)
	}
	l.queue = append(l.queue[:0], l.queue[n:]...)
	if len(batch) < maxBatch && !l.closed {
		k := min(len(l.lazy), maxBatch-len(batch))
		for _, q := range l.lazy[:k] {
			batch = append(batch, message{request: q})
		}
		l.lazy = append(l.lazy[:0], l.lazy[k:]...)
	}
	closed := l.closed && len(l.queue) == 0
	if len(batch) > 0 {
		l.under++
	}
	l.mu.Unlock()
	for _, m := range late {
		m.answer(register.Reply{Verdict: register.VerdictUnsent})
	}
	if closed {
		return nil, false
	}
	return batch, true
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake.Broadcast()
}
