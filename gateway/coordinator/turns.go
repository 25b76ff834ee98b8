package coordinator

import (
	"sync"
	"time"
)

// maxWaiting bounds the changes of one id that wait for their turn.
const maxWaiting = 1024

// turns gives the changes of an id their turn, first come first served.
type turns struct {
	mu      sync.Mutex
	waiting map[string]*turn // ids that someone has the turn of
}

// turn is held by one; the others wait on a channel each.
type turn struct {
	queue []chan struct{}
}

// take waits for the turn of id; false when deadline came first, or when too
// many wait. Whoever got it must pass it on.
func (t *turns) take(id string, deadline time.Time) bool {
	t.mu.Lock()
	own, busy := t.waiting[id]
	if !busy {
		t.waiting[id] = &turn{}
		t.mu.Unlock()
		return true
	}
	if len(own.queue) >= maxWaiting {
		t.mu.Unlock()
		return false
	}
	mine := make(chan struct{})
	own.queue = append(own.queue, mine)
	t.mu.Unlock()

	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-mine:
		return true
	case <-timer.C:
		return t.withdraw(own, mine)
	}
}

// withdraw leaves the queue; true when the turn came at the same moment.
func (t *turns) withdraw(own *turn, mine chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range own.queue {
		if c == mine {
			own.queue = append(own.queue[:i], own.queue[i+1:]...)
			return false
		}
	}
	return true
}

// pass gives the turn of id to the next in line.
func (t *turns) pass(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.waiting[id]
	if len(own.queue) == 0 {
		delete(t.waiting, id)
		return
	}
	next := own.queue[0]
	own.queue = own.queue[1:]
	close(next)
}
