package mem

import (
	"fmt"

	"github.com/dyad-db/dyad/dbnode/store"
)

// Manual is a store.Store on a Disk for simulations: a write stays invisible and
// is lost in a crash until the test calls Sync. It has no goroutine: dones run
// inside Sync, Close and Disk.Crash. For one goroutine at a time.
type Manual struct {
	view
	waiting []step
	failed  error
	closed  bool
}

type step struct {
	ops  []store.Op
	done func(error)
}

// OpenManual opens d as Open does.
func OpenManual(d *Disk) (*Manual, error) {
	m := &Manual{}
	m.view = view{disk: d, self: m}
	if err := d.acquire(m); err != nil {
		return nil, err
	}
	return m, nil
}

// Write implements store.Store.
func (m *Manual) Write(ops []store.Op, done func(error)) {
	if m.closed {
		done(store.ErrClosed)
		return
	}
	m.waiting = append(m.waiting, step{ops, done})
}

// Waiting returns how many steps are not yet synced.
func (m *Manual) Waiting() int { return len(m.waiting) }

// Sync makes everything that waits durable and runs the dones. What they write
// waits for the next Sync.
func (m *Manual) Sync() { m.SyncN(len(m.waiting)) }

// SyncN is Sync for the first n steps only, or for all when there are fewer.
func (m *Manual) SyncN(n int) {
	n = min(n, len(m.waiting))
	batch := m.waiting[:n]
	m.waiting = m.waiting[n:]
	var ops []store.Op
	for _, s := range batch {
		ops = append(ops, s.ops...)
	}
	if m.failed == nil && len(ops) > 0 {
		if err := m.disk.sync(m, ops); err != nil {
			m.failed = fmt.Errorf("%w: %w", store.ErrFailed, err)
		}
	}
	for _, s := range batch {
		s.done(m.failed)
	}
}

// Close implements store.Store.
func (m *Manual) Close() error {
	m.stop()
	m.disk.release(m)
	return m.failed
}

func (m *Manual) crashed() { m.stop() }

// stop closes first: what the dones write is no longer taken.
func (m *Manual) stop() {
	m.closed = true
	m.Sync()
}
