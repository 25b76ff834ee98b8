// Package coordinator turns reads and changes of one id into register operations,
// within a bounded time. Changes of an id that come through this gateway don't
// compete with each other for ballots: one round of the id is under way at a
// time, and the changes that come meanwhile are folded into the next.
//
// Invariant: an operation ends as done, refused, register.ErrUnavailable or
// register.ErrNoSpace (not applied), or register.ErrUnknown; each change of a
// round in its own way.
package coordinator

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

// DefaultBudget is how long an operation may take before it is given up, well
// below the 250 ms that a request may take.
const DefaultBudget = 200 * time.Millisecond

// Rounds runs one register operation; *drive.Driver does.
type Rounds interface {
	Do(ctx context.Context, q drive.Request) (drive.Result, error)
}

// Coordinator is safe for concurrent use.
type Coordinator struct {
	rounds Rounds
	budget time.Duration
	folds  folds

	reads, changes, thirdAsked atomic.Int64
}

// New returns a coordinator whose operations take at most budget.
func New(rounds Rounds, budget time.Duration) *Coordinator {
	return &Coordinator{rounds: rounds, budget: budget, folds: folds{ids: make(map[string]*waiting)}}
}

// Read returns the document of id, or nil when there is none. When ctx ends, so
// does the read. The error is register.ErrUnavailable.
func (c *Coordinator) Read(ctx context.Context, id string) ([]byte, error) {
	c.reads.Add(1)
	r, err := c.do(ctx, drive.Request{Key: id, Deadline: time.Now().Add(c.budget)})
	return r.Record.Value(), err
}

// Change applies change to the document of id and returns the new one, for which
// two nodes must have room. It goes on when ctx ends, since a change that is half
// sent is better finished. The error is the change's refusal,
// register.ErrUnavailable or register.ErrNoSpace (not applied), or
// register.ErrUnknown.
func (c *Coordinator) Change(ctx context.Context, id string, change func(old []byte) ([]byte, error)) ([]byte, error) {
	return c.change(ctx, id, change, true)
}

// Remove is Change for a change that deletes: a full node takes it, since it
// makes room in the end.
func (c *Coordinator) Remove(ctx context.Context, id string, change func(old []byte) ([]byte, error)) error {
	_, err := c.change(ctx, id, change, false)
	return err
}

func (c *Coordinator) change(ctx context.Context, id string, change register.Change, grows bool) ([]byte, error) {
	c.changes.Add(1)
	f := &fold{change: change, grows: grows, deadline: time.Now().Add(c.budget), turn: make(chan batch, 1)}
	if b := c.folds.enter(id, f); b != nil {
		c.lead(context.WithoutCancel(ctx), id, b)
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.doc, nil
}

// lead runs the round of a batch.
func (c *Coordinator) lead(ctx context.Context, id string, b batch) {
	err := register.ErrUnknown // if a change panics
	defer func() {
		b.end(err)
		c.folds.leave(id, b)
	}()
	_, err = c.do(ctx, drive.Request{Key: id, Change: b.change, Grows: b[0].grows, Deadline: b.deadline()})
}

func (c *Coordinator) do(ctx context.Context, q drive.Request) (drive.Result, error) {
	r, err := c.rounds.Do(ctx, q)
	if r.ThirdAsked {
		c.thirdAsked.Add(1)
	}
	return r, err
}

// Counts of operations since the start.
type Counts struct {
	Reads, Changes int64
	ThirdAsked     int64 // operations that asked more than two acceptors
}

// Counts returns a snapshot.
func (c *Coordinator) Counts() Counts {
	return Counts{Reads: c.reads.Load(), Changes: c.changes.Load(), ThirdAsked: c.thirdAsked.Load()}
}
