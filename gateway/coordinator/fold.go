package coordinator

import (
	"errors"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/register"
)

// Bounds of the changes of one id.
const (
	maxWaiting = 1024 // for a round
	maxFolded  = 256  // into one
)

// folds are the changes under way, by id: one round of an id at a time, and all
// that came meanwhile waits for the next.
type folds struct {
	mu  sync.Mutex
	ids map[string]*waiting // that a round is under way for
}

// waiting are the changes of an id that no round has taken yet, first come first
// served.
type waiting struct{ queue []*fold }

// fold is one change.
//
// Invariant: it is in a queue, or in the round of whoever leads; turn then gets
// a batch to lead, or is closed when doc and err are its outcome.
type fold struct {
	change   register.Change
	grows    bool
	deadline time.Time
	turn     chan batch

	doc []byte
	err error
}

// batch is what one round makes of an id: the changes in their order.
type batch []*fold

// enter queues f. Who finds no round under way leads one at once: the batch is
// what it is to make. It is nil when f has its outcome.
func (t *folds) enter(id string, f *fold) batch {
	t.mu.Lock()
	w, busy := t.ids[id]
	if !busy {
		t.ids[id] = &waiting{}
		t.mu.Unlock()
		return batch{f}
	}
	if len(w.queue) >= maxWaiting {
		t.mu.Unlock()
		f.err = register.ErrUnavailable
		return nil
	}
	w.queue = append(w.queue, f)
	t.mu.Unlock()

	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	select {
	case b := <-f.turn:
		return b
	case <-timer.C:
	}
	if t.withdraw(w, f) {
		f.err = register.ErrUnavailable
		return nil
	}
	return <-f.turn // the round that took it ends by its deadline
}

// withdraw takes f out of the queue, unless a round has taken it.
func (t *folds) withdraw(w *waiting, f *fold) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range w.queue {
		if w.queue[i] == f {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			return true
		}
	}
	return false
}

// leave ends the round of b: the others get their outcomes, and who waits first
// leads the next.
func (t *folds) leave(id string, b batch) {
	for _, f := range b[1:] {
		close(f.turn)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.ids[id]
	if len(w.queue) == 0 {
		delete(t.ids, id)
		return
	}
	n := 1
	for n < len(w.queue) && n < maxFolded && w.queue[n].grows == w.queue[0].grows {
		n++
	}
	next := append(batch{}, w.queue[:n]...)
	w.queue = append(w.queue[:0], w.queue[n:]...)
	next[0].turn <- next
}

// change makes one of all changes: each sees what the one before it left. It is
// refused if all are.
func (b batch) change(old []byte) ([]byte, error) {
	doc, changed := old, false
	for _, f := range b {
		if f.doc, f.err = f.change(doc); f.err == nil {
			doc, changed = f.doc, true
		}
	}
	if !changed {
		return nil, b[0].err
	}
	return doc, nil
}

// end gives each change its outcome, now that the round has ended with err: its
// own if the round was done or refused.
func (b batch) end(err error) {
	unknown := errors.Is(err, register.ErrUnknown)
	failed := unknown || errors.Is(err, register.ErrUnavailable) || errors.Is(err, register.ErrNoSpace)
	for _, f := range b {
		refused := f.err != nil
		switch {
		case err == nil, refused && !failed:
		case refused && unknown:
			// Whether it was to be refused hangs on what is unknown. It changed nothing.
			f.err = register.ErrUnavailable
		default:
			f.err = err
		}
	}
}

// deadline is that of the change that came first: the others' are later.
func (b batch) deadline() time.Time { return b[0].deadline }
