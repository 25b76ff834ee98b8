// Package sim runs the production protocol, rounds in gateways and acceptors on
// durable stores, in one goroutine on virtual time: one seed, one run. Network,
// disks, clocks and crashes are adversarial, and what the clients saw must be
// linearizable.
//
// Invariants:
//   - A run depends on its seed alone.
//   - What a network, a disk or a clock can't do doesn't happen: a request is
//     answered once at most, from what was synced; a crash keeps a prefix of the
//     writes; a verdict "unsent" is true.
package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Bounds of a run.
const (
	origin     = 1_000_000 * second // virtual time at which a run starts
	maxEvents  = 400_000            // a run takes some thousand
	longestRun = 600 * second       // of virtual time
	settleRuns = 40                 // passes after healing until no hint is left
	joinRuns   = 12                 // and until every node is whole, if nothing of before can be under way
)

// Result is what came of a run.
type Result struct {
	Seed       uint64
	Violations []string // empty for a good run
	Operations int      // that ended with a known outcome
	Unknown    int      // writes whose outcome was unknown
	Failed     int      // that ended without a quorum
	NoSpace    int      // writes that ended because two disks were full
	Events     int
	Met        Coverage
}

// sim is one run.
type sim struct {
	rng      *rand.Rand
	profile  profile
	now      int64 // virtual time, microseconds
	queue    queue
	places   placement.Map
	keys     []key
	nodes    []*node
	gateways []*gateway
	cut      [][]bool // from process, to process
	healed   bool     // faults are over
	waiting  int      // clients that have operations left
	proposer uint64   // last proposer id given

	oracle   oracle
	watch    watch
	furthest int64 // how far ahead a clock ever was
	floods   int
	rots     int // bits flipped
	events   int
	out      io.Writer // of the trace, or nil
	sends    int       // numbered in the trace
	held     []func()  // deliver what waits for a hint to be forgotten
}

type key struct {
	name      string
	partition uint16
	group     [placement.Nodes]int
}

// Run makes one run. Its trace goes to out, unless that is nil.
func Run(seed uint64, out io.Writer) Result {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	s := &sim{rng: rng, profile: draw(rng), now: origin, out: out}
	s.watch.sim = s
	s.tracef("seed %d: %+v", seed, s.profile)
	s.play()
	o := &s.oracle
	return Result{seed, o.violations, o.known, o.unknown, o.failed, o.noSpace, s.events, s.watch.met}
}

// play runs all of it; a panic is a violation like any other.
func (s *sim) play() {
	defer func() {
		if p := recover(); p != nil {
			s.oracle.violate("panic: %v\n%s", p, debug.Stack())
		}
	}()
	defer func() {
		for _, n := range s.nodes {
			n.endRoutines()
		}
	}()
	s.build()
	s.work()
	if len(s.oracle.violations) == 0 {
		s.settle()
	}
	if len(s.oracle.violations) == 0 {
		s.oracle.judge()
	}
}

func (s *sim) build() {
	places, err := placement.New(s.profile.partitions)
	if err != nil {
		panic(err)
	}
	s.places = places
	s.oracle = newOracle(s, s.profile.keys)
	for i := range s.profile.keys {
		name := string(rune('a'+i)) + fmt.Sprint(s.rng.IntN(100))
		p := places.Partition(name)
		s.keys = append(s.keys, key{name, uint16(p), places.Group(p)})
	}
	processes := placement.Nodes + s.profile.gateways + 1
	s.cut = make([][]bool, processes)
	for i := range s.cut {
		s.cut[i] = make([]bool, processes)
	}
	for i := range placement.Nodes {
		s.nodes = append(s.nodes, newNode(s, i))
	}
	s.form()
	s.setAstray()
	for i := range s.profile.gateways {
		g := newGateway(s, placement.Nodes+i)
		s.gateways = append(s.gateways, g)
		for range s.profile.clients {
			s.waiting++
			c := &client{gateway: g, id: s.waiting, left: s.profile.operations}
			s.after(s.spread(s.profile.think), c.next)
		}
	}
	s.arrangeFaults()
}

// form makes the three blank nodes a cluster, while nothing is wrong yet.
func (s *sim) form() {
	s.healed = true
	s.drain()
	s.healed = false
	for _, n := range s.nodes {
		if n.troubled() {
			s.oracle.violate("n%d is not part of the new cluster: %+v", n.id, n.replica.Life())
		}
	}
}

// rejoin lets every node be rebuilt, and the others hear of it.
func (s *sim) rejoin() {
	begun := s.now
	for pass := 0; len(s.oracle.violations) == 0; pass++ {
		for _, n := range s.nodes {
			n.hello()
			n.scrub()
			n.mend()
		}
		s.drain()
		troubled := 0
		for _, n := range s.nodes {
			if n.troubled() {
				troubled++
			}
		}
		if troubled == 0 && pass > 1 {
			return
		}
		if pass >= joinRuns && s.now > begun+2*longestDelay {
			s.oracle.violate("%d nodes are not whole after %d passes", troubled, pass)
			return
		}
	}
}

// collectAll lets the tombstones go; anti-entropy must find nothing then.
func (s *sim) collectAll() {
	for range settleRuns {
		left := 0
		for _, n := range s.nodes {
			n.collect()
			left += int(n.replica.Status().Data.Tombstones)
		}
		s.drain()
		s.handOffAll()
		if left == 0 {
			break
		}
	}
	for _, n := range s.nodes {
		n.compare()
	}
	s.drain()
}

// work runs until every client has done its operations.
func (s *sim) work() {
	for s.waiting > 0 && s.step() {
		if s.events > maxEvents || s.now > origin+longestRun {
			s.oracle.violate("%d clients still wait after %d events and %d ms", s.waiting, s.events, (s.now-origin)/millisecond)
			return
		}
	}
}

// drain runs until nothing is to come.
func (s *sim) drain() {
	for limit := s.events + maxEvents; len(s.oracle.violations) == 0 && s.step(); {
		if s.events > limit {
			s.oracle.violate("the cluster did not come to rest")
			return
		}
	}
}

func (s *sim) step() bool {
	if s.queue.empty() {
		return false
	}
	s.events++
	e := s.queue.pop()
	s.now = max(s.now, e.at)
	e.run()
	return true
}

// settle heals everything, sees that every gateway serves again, lets the
// handoff run, reads every key, and then expects each record on both data
// replicas and nowhere else.
func (s *sim) settle() {
	s.tracef("healed")
	s.healed = true
	s.profile.latency, s.profile.sync, s.profile.hedge = 100, 100, 20*millisecond
	for _, n := range s.nodes {
		n.setFull(false)
		if !n.up {
			n.start()
		}
		n.clock.right()
	}
	for _, g := range s.gateways {
		g.clock.right()
	}
	if p := &s.profile; s.furthest > register.MaxAhead/2 {
		if p.hour > 0 && p.jumps == 0 && p.wipes == 0 && p.rot == 0 {
			s.rejoin()
			s.serveAll() // the others do without the node that is ahead
		}
		s.now += s.furthest // what that clock kept them from is over when they are as far
	}
	s.rejoin()
	s.serveAll()
	s.handOffAll()
	s.collectAll()
	s.oracle.atRest()
	s.oracle.ended()
}

// serveAll has each gateway find a quorum for each key.
func (s *sim) serveAll() {
	for _, g := range s.gateways {
		for k := range s.keys {
			g.start(&operation{kind: opCreate, key: k, order: [register.Seats]int{0, 1, 2}, must: true})
		}
		s.drain()
	}
}

func (s *sim) handOffAll() {
	reader := newGateway(s, placement.Nodes+s.profile.gateways)
	read := func(order [register.Seats]int) {
		for k := range s.keys {
			reader.start(&operation{kind: opRead, key: k, order: order, must: true})
		}
		s.drain()
	}
	read([register.Seats]int{2, 0, 1})
	read([register.Seats]int{1, 2, 0})
	for pass := 0; pass == 0 || s.anyHints(); pass++ {
		if pass == settleRuns {
			s.oracle.violate("hints are left after %d passes", settleRuns)
			return
		}
		for _, n := range s.nodes {
			n.handOff()
		}
		s.drain()
		read([register.Seats]int{0, 1, 2})
	}
}

func (s *sim) anyHints() bool {
	for _, n := range s.nodes {
		if n.countHints() > 0 {
			return true
		}
	}
	return false
}

func (s *sim) after(delay int64, run func()) { s.queue.push(s.now+delay, run) }

// chance is true in c of a hundred cases, and never once all is healed.
func (s *sim) chance(c chance) bool {
	return c > 0 && !s.healed && chance(s.rng.IntN(100)) < c
}

// spread is a random time of that mean.
func (s *sim) spread(mean int64) int64 { return s.rng.Int64N(2*mean) + 1 }

func (s *sim) freshProposer() uint64 {
	s.proposer++
	return s.proposer
}

func (s *sim) tracef(format string, args ...any) {
	if s.out != nil {
		fmt.Fprintf(s.out, "%10.3f ms  %s\n", float64(s.now-origin)/1000, fmt.Sprintf(format, args...))
	}
}
