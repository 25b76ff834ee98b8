// Package replica makes a node's acceptors durable: load the record, step the
// acceptor, sync what the step asks for, then let the reply out. It starts no
// goroutine; the store's committer calls back.
//
// Invariants:
//   - No reply leaves before everything it was derived from is durable: neither
//     what its own step wrote, nor what an earlier step of the key or of the
//     partition's state wrote.
//   - The steps of one key reach the store in the order in which they were taken.
//   - After a failed write nothing is answered any more.
package replica

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Config tells a replica who and where it is.
type Config struct {
	NodeID string        // of this node; the store belongs to it
	Node   int           // this node's place in the sorted list of nodes
	Places placement.Map // the cluster's partitions
	Epoch  uint64        // not zero, and different at each start
	Now    func() int64  // local clock, microseconds since the Unix epoch
}

// Replica is all acceptors of one node over one store.
type Replica struct {
	cfg      Config
	store    store.Store
	parts    []*partition
	counters Counters
	damages  damages
	admitted atomic.Bool // the acceptors may answer
	readOnly atomic.Bool // there is no room for what makes data grow
	leaving  atomic.Bool // the disk is about to be given up
	stopped  atomic.Bool // sealed or failed: nothing is answered any more
	failed   chan error  // gets the write error that stopped the replica

	identityMu sync.Mutex // taken before any partition's
	identity   Identity
	changed    atomic.Bool // something was written since the life was last shown
}

// partition is one acceptor with what the store has been given but has not yet
// made durable.
type partition struct {
	mu      sync.Mutex
	id      uint16
	seat    int // of this node in the partition's group
	acc     *register.Acceptor
	pending map[string]pendingRecord
	recent  recent
	states  int // writes of acceptor state on their way to disk
	held    Holding
	digest  digest.Tree // of what is held
	since   int64       // no record held is older: the earliest ballot time since nothing was held

	damaged   map[string]register.Ballot // keys whose record is damaged, with their bars
	uncounted bool                       // held and digest must be made anew before use
}

// pendingRecord is the newest record of a key on its way to disk; blank when the
// key is being removed. writes counts those of the key that are under way.
type pendingRecord struct {
	record register.Record
	writes int
}

// Open starts the acceptors from what st holds. A new store is given to
// cfg.NodeID; one that belongs to another node, or to a cluster with other
// partitions, is refused. Nothing is answered before Admit.
func Open(cfg Config, st store.Store) (*Replica, error) {
	if cfg.Epoch == 0 {
		return nil, errors.New("replica: the epoch must not be zero")
	}
	r := &Replica{cfg: cfg, store: st, failed: make(chan error, 1)}
	if err := r.identify(); err != nil {
		return nil, err
	}
	for id := range cfg.Places.Partitions() {
		p, err := r.openPartition(uint16(id))
		if err != nil {
			return nil, err
		}
		p.states = 1 // no reply leaves before this start is on record
		r.parts = append(r.parts, p)
	}
	st.Write([]store.Op{r.identityOp()}, func(err error) {
		for _, p := range r.parts {
			r.landed(p, "", false, true, err)
		}
	})
	return r, nil
}

func (r *Replica) openPartition(id uint16) (*partition, error) {
	p := &partition{id: id, seat: r.cfg.Places.Seat(int(id), r.cfg.Node), pending: make(map[string]pendingRecord)}
	key := stateKey(id)
	value, err := r.store.Get(key)
	if err != nil {
		return nil, fmt.Errorf("read the state of partition %d: %w", id, err)
	}
	var d register.Durable
	if value != nil {
		if d, err = decodeState(key, value); err != nil {
			return nil, damagedState(err)
		}
	}
	p.acc = register.NewAcceptor(p.seat, d, r.identity.group(r.cfg.Places, int(id)), r.cfg.Epoch)
	p.uncounted = true
	// What can't be read now is refused later; see Lost.
	if err := r.count(p); err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("count the records of partition %d: %w", id, err)
	}
	return p, nil
}

// batch collects the replies to one call of Serve.
type batch struct {
	requests []register.Request
	replies  []register.Reply
	left     atomic.Int64 // writes and barriers still to come, plus one for Serve itself
	lost     atomic.Bool  // a write failed: nothing may be said
	done     func([]register.Reply)
}

func (b *batch) release() {
	if b.left.Add(-1) > 0 {
		return
	}
	if b.lost.Load() {
		b.done(nil)
		return
	}
	b.done(b.replies)
}

// Serve answers requests in order and calls done once, with a reply to each,
// when all that they depend on is durable; or with nil if that can't be said
// because a write failed or the replica was stopped. done may run before Serve
// returns, or on the committer, and must not block.
func (r *Replica) Serve(requests []register.Request, done func([]register.Reply)) {
	if r.stopped.Load() {
		done(nil)
		return
	}
	b := &batch{requests: requests, replies: make([]register.Reply, len(requests)), done: done}
	b.left.Store(1)
	for i := 0; i < len(requests); {
		n := collectRun(requests[i:])
		r.stepRun(b, i, i+n)
		i += n
	}
	b.release()
}

// collectRun returns how many of the requests must be taken as one: tombstones
// of a partition that are dropped in one batch cost one change of epoch.
func collectRun(requests []register.Request) int {
	n := 1
	for requests[0].Kind == register.KindCollect && n < len(requests) &&
		requests[n].Kind == register.KindCollect && requests[n].Partition == requests[0].Partition {
		n++
	}
	return n
}

// stepRun takes requests i to j-1, all of one partition, as one.
func (r *Replica) stepRun(b *batch, i, j int) {
	if id := int(b.requests[i].Partition); id >= len(r.parts) || !r.admitted.Load() {
		for ; i < j; i++ {
			b.replies[i] = register.Reply{Verdict: register.VerdictUnable}
		}
		return
	}
	p := r.parts[b.requests[i].Partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.stopped.Load() { // since Serve looked: a sealed acceptor may promise nothing more
		b.lost.Store(true)
		return
	}
	dropped := false
	for ; i < j; i++ {
		dropped = r.step(b, i, p) || dropped
	}
	if dropped {
		p.acc.Forgot()
	}
}

// hintBacklog is how many hints a witness may still have to hand over in a
// partition when a tombstone is collected there. Collecting raises the floors of
// the data replicas, and each hint below costs a round instead of a message.
const hintBacklog = 32

// step takes one request; it reports whether a record was dropped. p.mu is held.
func (r *Replica) step(b *batch, i int, p *partition) (dropped bool) {
	q := &b.requests[i]
	r.counters.count(q.Kind, p.seat)
	held, pending, err := r.load(p, q.Key)
	var reply register.Reply
	var effects register.Effects
	switch {
	case err != nil:
		// Neither vote with a record that can't be read, nor take it for a blank.
		reply, effects = r.stepDamaged(p, *q, err)
	case q.Kind == register.KindBar && p.held.Records+p.held.Tombstones > hintBacklog:
		reply = register.Reply{Verdict: register.VerdictUnable}
	case r.readOnly.Load() && q.NeedsRoom(held):
		reply = register.Reply{Verdict: register.VerdictFull}
	default:
		reply, effects = p.acc.Step(r.cfg.Now(), *q, held)
	}
	b.replies[i] = reply
	ops := r.apply(p, q.Key, held, q.Record, effects)
	if q.Kind == register.KindChosen || len(ops) == 0 && !pending && p.states == 0 {
		return false
	}
	b.left.Add(1)
	key, put, state := q.Key, effects.Put || effects.Drop, effects.State
	r.write(ops, func(err error) {
		r.landed(p, key, put, state, err)
		if err != nil {
			b.lost.Store(true)
		}
		b.release()
	})
	return effects.Drop
}

// apply returns the writes that a step asked for. p.mu is held, and the caller
// hands them to the store before releasing it.
func (r *Replica) apply(p *partition, key string, held, rec register.Record, effects register.Effects) []store.Op {
	var ops []store.Op
	switch {
	case effects.Put:
		_, unknown := p.damaged[key]
		r.mended(p, key)
		ops = p.put(ops, key, held, rec)
		if unknown && p.seat == register.SeatD1 { // there may be a mark, or none
			ops = append(ops, store.Op{Key: tombstoneKey(p.id, key), Delete: !rec.Tombstone})
		}
	case effects.Drop:
		ops = p.put(ops, key, held, register.Record{})
	}
	if effects.State {
		ops = append(ops, p.stateOp())
	}
	return ops
}

// stateOp is the write that makes the acceptor's state durable; it is on its way
// until it landed. p.mu is held.
func (p *partition) stateOp() store.Op {
	p.states++
	key := stateKey(p.id)
	return store.Op{Key: key, Value: encodeState(key, p.acc.Durable())}
}

// load returns the newest record of key, and whether it is still on its way to
// disk. p.mu is held.
func (r *Replica) load(p *partition, key string) (rec register.Record, pending bool, err error) {
	if w, ok := p.pending[key]; ok {
		return w.record, true, nil
	}
	if rec, ok := p.recent.get(key); ok {
		return rec, false, nil
	}
	k := recordKey(p.id, key)
	value, err := r.store.Get(k)
	if err != nil {
		return register.Record{}, false, err
	}
	if value != nil {
		if rec, err = decodeRecord(k, value); err != nil {
			return register.Record{}, false, err
		}
	}
	p.recent.put(key, rec)
	return rec, false, nil
}

// put makes rec the newest record of key, a blank one removing it, and appends
// the writes to ops. p.mu is held, and the caller hands them to the store before
// releasing it.
func (p *partition) put(ops []store.Op, key string, old, rec register.Record) []store.Op {
	p.pending[key] = pendingRecord{record: rec, writes: p.pending[key].writes + 1}
	p.leave(key, old)
	p.enter(key, rec)
	k := recordKey(p.id, key)
	if rec.Blank() {
		ops = append(ops, store.Op{Key: k, Delete: true})
	} else {
		value := encodeRecord(k, rec)
		ops = append(ops, store.Op{Key: k, Value: value})
		rec.Doc = documentOf(value, rec) // what came shares a whole frame
	}
	p.recent.put(key, rec)
	if p.seat != register.SeatD1 || old.Tombstone == rec.Tombstone {
		return ops
	}
	// The first data replica keeps a list of the tombstones, to collect them.
	return append(ops, store.Op{Key: tombstoneKey(p.id, key), Delete: !rec.Tombstone})
}

// landed takes note that a write is durable, or that it failed.
func (r *Replica) landed(p *partition, key string, put, state bool, err error) {
	if err != nil {
		r.fail(err)
		return
	}
	if !put && !state {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if state {
		p.states--
	}
	if put {
		r.unpend(p, key)
	}
}

// unpend drops the pending record of key once none of its writes is under way.
func (r *Replica) unpend(p *partition, key string) {
	w := p.pending[key]
	w.writes--
	if w.writes < 0 {
		panic("replica: more writes of a key landed than were sent")
	}
	if w.writes == 0 {
		delete(p.pending, key)
		return
	}
	p.pending[key] = w
}

func (r *Replica) fail(err error) {
	r.stopped.Store(true)
	select {
	case r.failed <- err:
	default: // the first error is the one that counts
	}
}

// Failed yields the error that stopped the replica: a write that could not be
// made durable. The process must exit then, since its memory can't be trusted.
func (r *Replica) Failed() <-chan error { return r.failed }

// Seal ends the replica's service and calls done when it may be closed. It
// leaves tight horizons, so that the next start refuses none of the near future.
func (r *Replica) Seal(done func(error)) {
	r.stopped.Store(true)
	var ops []store.Op
	for _, p := range r.parts {
		p.mu.Lock()
		key := stateKey(p.id)
		ops = append(ops, store.Op{Key: key, Value: encodeState(key, p.acc.Seal())})
		p.mu.Unlock()
	}
	r.store.Write(ops, done)
}
