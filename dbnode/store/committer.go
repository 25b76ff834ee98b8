package store

import (
	"fmt"
	"sync"
)

// The bounds of one batch, whichever is met first. A single step that is larger
// goes alone: it can't be split, being atomic.
const (
	maxBatchSteps = 1024
	maxBatchBytes = 4 << 20
)

// Stats counts what a committer did since it started.
type Stats struct {
	Syncs        uint64 // calls of the engine's write, each one sync
	Steps        uint64 // steps made durable, barriers included
	Ops          uint64 // ops made durable
	LargestBatch int    // most steps that shared one sync
}

// Committer gathers the steps that wait into one batch and one sync. It is one
// goroutine, owned by the store that made it and ended by Close.
//
// Its queue has no bound of its own: it holds what callers handed over and have
// not been answered for, so whoever admits requests to the node bounds it.
type Committer struct {
	write   func([]Op) error
	stopped chan struct{}

	mu      sync.Mutex
	wake    sync.Cond // waiting grew, or closed was set
	waiting []step
	closed  bool
	stats   Stats

	// The goroutine's own; kept between batches to spare allocations.
	batch  []step
	ops    []Op
	failed error
}

type step struct {
	ops   []Op
	bytes int
	done  func(error)
}

// NewCommitter starts a committer. It calls write on its own goroutine, never
// twice at once; write makes all its ops durable as one atomic step with one
// sync, makes them visible, and keeps none of the slices. After its first error
// write is not called again.
func NewCommitter(write func([]Op) error) *Committer {
	c := &Committer{write: write, stopped: make(chan struct{})}
	c.wake.L = &c.mu
	go c.run()
	return c
}

// Write queues a step; see Store.Write.
func (c *Committer) Write(ops []Op, done func(error)) {
	s := step{ops: ops, done: done}
	for i := range ops {
		s.bytes += len(ops[i].Key) + len(ops[i].Value)
	}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.waiting = append(c.waiting, s)
		c.wake.Signal()
	}
	c.mu.Unlock()
	if closed {
		done(ErrClosed)
	}
}

// Stats returns the counts so far.
func (c *Committer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close commits everything that waits, ends the goroutine and returns the error
// that stopped the store, if any. It may be called more than once.
func (c *Committer) Close() error {
	c.mu.Lock()
	c.closed = true
	c.wake.Signal()
	c.mu.Unlock()
	<-c.stopped
	return c.failed
}

func (c *Committer) run() {
	defer close(c.stopped)
	for c.take() {
		err := c.commit()
		for i := range c.batch {
			c.batch[i].done(err)
		}
		clear(c.batch)
	}
}

// take waits for steps and moves the next batch out of the queue. It returns
// false once the committer is closed and the queue is empty.
func (c *Committer) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 {
		if c.closed {
			return false
		}
		c.wake.Wait()
	}
	n, bytes := 1, c.waiting[0].bytes
	for n < min(len(c.waiting), maxBatchSteps) && bytes+c.waiting[n].bytes <= maxBatchBytes {
		bytes += c.waiting[n].bytes
		n++
	}
	c.batch = append(c.batch[:0], c.waiting[:n]...)
	left := copy(c.waiting, c.waiting[n:])
	clear(c.waiting[left:]) // the queue must not keep what was written alive
	c.waiting = c.waiting[:left]
	return true
}

// commit makes the batch durable. A batch of barriers needs no write: every
// earlier batch was durable before its last done ran.
func (c *Committer) commit() error {
	if c.failed != nil {
		return c.failed
	}
	c.ops = c.ops[:0]
	for i := range c.batch {
		c.ops = append(c.ops, c.batch[i].ops...)
	}
	if len(c.ops) > 0 {
		if err := c.write(c.ops); err != nil {
			c.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		}
	}
	c.count()
	clear(c.ops)
	return c.failed
}

func (c *Committer) count() {
	if c.failed != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ops) > 0 {
		c.stats.Syncs++
		c.stats.LargestBatch = max(c.stats.LargestBatch, len(c.batch))
	}
	c.stats.Steps += uint64(len(c.batch))
	c.stats.Ops += uint64(len(c.ops))
}
