package history

import (
	"slices"
	"sync"
)

// Recorder collects the operations of many clients. It is safe for concurrent
// use. It keeps every operation in memory, some 300 bytes each.
type Recorder struct {
	clock func() int64

	mu  sync.Mutex
	ops []Operation
}

// NewRecorder returns an empty Recorder. The clock must be monotonic and shared
// by all clients, as func() int64 { return int64(time.Since(start)) } is.
func NewRecorder(clock func() int64) *Recorder {
	return &Recorder{clock: clock}
}

// Pending is an operation that was called and has not returned.
type Pending struct {
	recorder *Recorder
	index    int
}

// Call notes that a client is about to send in. Call it before anything leaves.
// An operation that never returns ends as unknown.
func (r *Recorder) Call(client int, in Input) Pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	r.ops = append(r.ops, Operation{Client: client, Call: now, Return: now, Input: in, Output: Ended(Unknown)})
	return Pending{recorder: r, index: len(r.ops) - 1}
}

// Return notes the answer, once it is there as a whole. Call it once.
func (p Pending) Return(out Output) {
	p.recorder.mu.Lock()
	defer p.recorder.mu.Unlock()
	op := &p.recorder.ops[p.index]
	op.Return, op.Output = p.recorder.clock(), out
}

// History returns the operations so far, in the order of their calls.
func (r *Recorder) History() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ops)
}
