// Package drive runs register rounds against real nodes: it sends what a round
// asks for, hedges late answers, backs off between attempts, and ends the round
// at its deadline.
//
// Invariants: one goroutine at a time touches a round; replies that come after its
// end are dropped, which the protocol takes for loss; a ballot is handed out once.
package drive

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Bounds of an operation's waiting.
const (
	eventRoom   = 64 // events that may wait to be taken in; more count as lost
	firstPause  = time.Millisecond
	longestWait = 32 * time.Millisecond  // between two attempts
	patience    = 60 * time.Millisecond  // between later hedges, the last of which gives answers up for lost
	avoidance   = 500 * time.Millisecond // of a node that said it can't take part, or has no room
)

// Nodes sends to the cluster's nodes, numbered in the order of their ids.
type Nodes interface {
	// Send calls reply exactly once, possibly before it returns.
	Send(node int, q register.Request, deadline time.Time, reply func(register.Reply))
	// SendLazy sends q along with something else, or loses it.
	SendLazy(node int, q register.Request)
	// Up reports whether the node is thought to answer.
	Up(node int) bool
}

// Config of a Driver; every field is needed.
type Config struct {
	Nodes    Nodes
	Places   placement.Map
	Proposer uint64 // a number that no process used before
	Hedge    Hedge
	Jitter   func(below time.Duration) time.Duration // random, in [0, below)
}

// Driver runs rounds. It is safe for concurrent use.
type Driver struct {
	cfg    Config
	clock  sharedClock
	took   latencies
	known  []knowledge                             // by partition
	disks  atomic.Pointer[[placement.Nodes]uint32] // newest of each node
	unable [placement.Nodes]atomic.Int64           // when each node last said that it can't take part, Unix microseconds
	full   [placement.Nodes]atomic.Int64           // when each node last said that it has no room, likewise
}

// New returns a Driver with an id that no process used before.
func New(cfg Config) *Driver {
	d := &Driver{
		cfg:   cfg,
		clock: sharedClock{clock: register.NewClock(cfg.Proposer)},
		took:  latencies{hedge: cfg.Hedge},
		known: make([]knowledge, cfg.Places.Partitions()),
	}
	d.disks.Store(&[placement.Nodes]uint32{})
	for p := range d.known {
		d.known[p].driver, d.known[p].group = d, cfg.Places.Group(p)
	}
	return d
}

// Request is one operation for Do. Partition and Order of the spec are filled in.
type Request struct {
	Key      string
	Change   register.Change // nil reads
	Grows    bool            // the Change makes data grow: a full node refuses it
	Rewrite  bool            // with a nil Change: write back what is there at a fresh ballot
	Fill     bool            // with Rewrite: where nothing is held, write a tombstone
	Prefer   []int           // seats to prefer, before all others; may be empty
	Above    register.Ballot // the round's ballots are above it
	Deadline time.Time
}

// Result is what an operation came to.
type Result struct {
	Record     register.Record
	ThirdAsked bool // more than two acceptors were asked
}

// Do runs one operation to its outcome. The error is the change's refusal,
// register.ErrUnavailable, register.ErrNoSpace or register.ErrUnknown. When ctx ends, so does the
// operation, as if its deadline had passed.
func (d *Driver) Do(ctx context.Context, q Request) (Result, error) {
	partition := d.cfg.Places.Partition(q.Key)
	d.clock.Observe(q.Above)
	spec := register.Spec{
		Partition: uint16(partition),
		Key:       q.Key,
		Change:    q.Change,
		Rewrite:   q.Rewrite,
		Grows:     q.Grows,
		Fill:      q.Fill,
		Order:     d.order(partition, q.Prefer, q.Grows),
	}
	run := &run{
		driver:   d,
		group:    d.cfg.Places.Group(partition),
		round:    register.NewRound(spec, &d.clock, &d.known[partition]),
		done:     make(chan struct{}),
		deadline: q.Deadline,
	}
	run.waiting = run.first[:0]
	run.loop(ctx)
	rec, err := run.round.Outcome()
	return Result{Record: rec, ThirdAsked: run.round.ThirdAsked()}, err
}

// order prefers the given seats, then data replicas to the witness, and nodes
// that are up, and have room for what grows, to all others.
func (d *Driver) order(partition int, prefer []int, grows bool) [register.Seats]int {
	group := d.cfg.Places.Group(partition)
	now := time.Now().UnixMicro()
	rank := func(seat int) int {
		r := seat + len(prefer)
		for i, s := range prefer {
			if s == seat {
				r = i
			}
		}
		if !d.usable(group[seat], grows, now) {
			r += 2 * register.Seats
		}
		return r
	}
	o := [register.Seats]int{register.SeatD1, register.SeatD2, register.SeatW}
	for i := 1; i < len(o); i++ {
		for j := i; j > 0 && rank(o[j]) < rank(o[j-1]); j-- {
			o[j], o[j-1] = o[j-1], o[j]
		}
	}
	return o
}

// usable reports whether a node is thought to answer, to take part, and to have
// room where that is needed.
func (d *Driver) usable(node int, grows bool, now int64) bool {
	said := d.unable[node].Load()
	if grows {
		said = max(said, d.full[node].Load())
	}
	return d.cfg.Nodes.Up(node) && now-said > avoidance.Microseconds()
}

// sharedClock is a Clock for many goroutines, over physical time.
type sharedClock struct {
	mu    sync.Mutex
	clock *register.Clock
}

// Next returns a fresh ballot.
func (c *sharedClock) Next() register.Ballot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.Next(time.Now().UnixMicro())
}

// Observe moves later ballots past b.
func (c *sharedClock) Observe(b register.Ballot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.Observe(b)
}

// knowledge is what is known of the acceptors of one partition. The disks are
// the same for all partitions, seat by seat another node.
type knowledge struct {
	driver *Driver
	group  [placement.Nodes]int
	mu     sync.Mutex
	epochs [register.Seats]uint64
}

// Known satisfies register.Knowledge.
func (k *knowledge) Known() ([register.Seats]uint64, register.Incarnations) {
	nodes := k.driver.disks.Load()
	var disks register.Incarnations
	for seat, node := range k.group {
		disks[seat] = nodes[node]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.epochs, disks
}

// LearnEpoch satisfies register.Knowledge.
func (k *knowledge) LearnEpoch(seat int, epoch uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epochs[seat] = epoch
}

// LearnDisks satisfies register.Knowledge.
func (k *knowledge) LearnDisks(disks register.Incarnations) {
	for {
		old := k.driver.disks.Load()
		newest := *old
		for seat, node := range k.group {
			newest[node] = max(newest[node], disks[seat])
		}
		if newest == *old || k.driver.disks.CompareAndSwap(old, &newest) {
			return
		}
	}
}
