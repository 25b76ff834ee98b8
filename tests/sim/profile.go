package sim

import "math/rand/v2"

// Microseconds of virtual time.
const (
	millisecond int64 = 1000
	second            = 1000 * millisecond
)

// chance is a probability in percent.
type chance int

// profile is what kind of run a seed makes: its size and its faults. Delays are
// in microseconds.
type profile struct {
	calm bool // no fault at all: every operation must touch exactly two nodes

	gateways, clients, operations int // clients of each gateway, operations of each client
	keys, partitions              int

	latency  int64  // usual delay of a message
	slow     chance // that a message takes up to slowness times that
	slowness int64
	loss     chance // of a request, and of a reply
	late     chance // that a lost request arrives all the same, after its sender gave up
	double   chance // that a request arrives twice
	cuts     bool   // one-way cuts between two processes come and go
	crashes  int64  // mean time between crashes, 0 for none
	away     int64  // mean time a crashed node stays down
	clean    chance // that a stop is orderly
	maxDown  int    // nodes down at a time
	wipes    chance // that a node that went down comes back with a blank or an old disk
	second   chance // that another node goes down while one is being rebuilt
	hello    int64  // mean time between two hellos of a node
	collect  int64  // mean time between two looks for tombstones
	compare  int64  // mean time between two comparisons of the data replicas
	full     int64  // mean time between a node's disk getting full, and mean time it stays so; 0 for never
	rot      int64  // mean time between flips of a bit on a disk, 0 for none
	scrub    int64  // mean time between two looks for them, and between two repairs
	restarts int64  // mean time between restarts of a gateway, 0 for none
	skew     int64  // clocks are off by up to this
	frozen   chance // that a clock stands still for long
	hour     int64  // the clock of one node is that far off
	hedge    int64  // usual hedge interval
	rash     chance // that a hedge comes much too early
	deadline int64  // of an operation, 0 for none
	hasty    chance // that an operation expires at a random moment
	think    int64  // mean time between two operations of a client
	sync     int64  // usual time of a sync
	handoff  int64  // mean time between two looks for hints
	eager    int64  // mean time from an accept to a look for hints, 0 for none
	flood    bool   // promises for many other keys push out those that count
	stray    chance // that an operation prefers seats at random
}

// draw makes the profile of a run: mostly one that is short and hot, where few
// faults meet many operations of few keys, or where nothing is wrong but the order
// in which things happen; at times one with any mix of faults, and one with none.
func draw(r *rand.Rand) profile {
	p := profile{
		gateways:   1 + r.IntN(2),
		clients:    1 + r.IntN(3),
		operations: 3 + r.IntN(7),
		keys:       1 + r.IntN(2),
		partitions: 3,
		latency:    100 + r.Int64N(400),
		hedge:      20 * millisecond,
		think:      pick(r, 100, millisecond, 5*millisecond),
		sync:       pick(r, 20, 200, millisecond, 5*millisecond),
		handoff:    pick(r, 500, 2*millisecond, 20*millisecond),
		maxDown:    1,
		hello:      pick(r, 5*millisecond, 20*millisecond),
		collect:    pick(r, millisecond, 5*millisecond, 20*millisecond),
		compare:    pick(r, 20*millisecond, 60*millisecond),
	}
	switch n := r.IntN(16); {
	case n == 0:
		p.calm = true
		p.sync = pick[int64](r, 20, 200, 500) // well within the hedge
		p.hedge = 100 * millisecond           // three syncs in a row, each twice its usual time, are not late
	case n < 4:
		p.mixed(r)
	case n < 8:
		p.racing(r)
	default:
		p.hot(r)
	}
	if !p.calm {
		p.full = pick(r, 0, 0, millisecond, 4*millisecond, 20*millisecond)
	}
	return p
}

func (p *profile) hot(r *rand.Rand) {
	p.gateways = 2
	p.keys = pick(r, 1, 1, 2, 6)
	p.latency = 100
	p.slow = pick[chance](r, 5, 20, 40)
	p.slowness = pick[int64](r, 10, 30, 100)
	p.loss = pick[chance](r, 0, 0, 1, 4)
	p.late = 80
	p.double = pick[chance](r, 0, 5, 25)
	p.crashes = pick(r, 0, 3*millisecond, 10*millisecond, 20*millisecond)
	p.away = pick(r, 200, millisecond, 4*millisecond)
	p.wipes = pick[chance](r, 0, 30, 100)
	p.second = pick[chance](r, 0, 30)
	p.collect = pick[int64](r, 300, 1000, 4000)
	p.clean = pick[chance](r, 0, 20, 100)
	p.restarts = pick(r, 0, 5*millisecond, 20*millisecond)
	p.skew = pick(r, 0, millisecond, 10*millisecond)
	p.frozen = pick[chance](r, 0, 30)
	p.hedge = pick(r, millisecond, 4*millisecond, 20*millisecond)
	p.rash = pick[chance](r, 0, 0, 10)
	p.deadline = 60 * millisecond
	p.think = pick[int64](r, 20, 200, 1000)
	p.handoff = pick[int64](r, 200, 1000, 4000)
	p.stray = pick[chance](r, 10, 30, 60)
	p.flood = r.IntN(40) == 0
	p.rots(r)
}

// racing loses nothing: slow messages, handoffs and fresh gateways race, and the
// witness is asked as often as the data replicas are.
func (p *profile) racing(r *rand.Rand) {
	p.gateways = 2 + r.IntN(6)
	p.clients = 1 + r.IntN(2)
	p.operations = 2 + r.IntN(4)
	p.keys = pick(r, 1, 3, 6)
	p.latency = 50
	p.slow = pick[chance](r, 20, 40, 60)
	p.slowness = pick[int64](r, 10, 30, 60)
	p.double = pick[chance](r, 0, 10, 40)
	p.restarts = pick(r, 0, 0, 4*millisecond)
	p.crashes = pick(r, 0, 0, 3*millisecond)
	p.away = 50
	p.clean = 100
	p.collect = pick[int64](r, 300, 1000)
	p.skew = pick(r, 0, millisecond)
	p.think = pick[int64](r, 20, 200)
	p.sync = 20
	p.handoff = 2 * millisecond
	p.eager = pick[int64](r, 100, 400, 1000)
	p.stray = 90
}

func (p *profile) mixed(r *rand.Rand) {
	p.slow = pick[chance](r, 0, 2, 10, 30)
	p.slowness = 100
	p.loss = pick[chance](r, 0, 2, 8)
	p.late = pick[chance](r, 20, 50, 90)
	p.double = pick[chance](r, 0, 4, 10)
	p.cuts = r.IntN(4) == 0
	p.crashes = pick(r, 0, 5*millisecond, 10*millisecond, 40*millisecond)
	p.away = pick(r, millisecond, 5*millisecond, 20*millisecond)
	p.clean = pick[chance](r, 0, 30)
	p.wipes = pick[chance](r, 0, 0, 50)
	p.second = pick[chance](r, 0, 30)
	if r.IntN(8) == 0 {
		p.maxDown, p.wipes = 3, 0
	}
	p.restarts = pick(r, 0, 0, 10*millisecond, 30*millisecond)
	p.skew = pick(r, 0, millisecond, 50*millisecond, 8*second)
	p.frozen = pick[chance](r, 0, 0, 50)
	if r.IntN(10) == 0 {
		p.hour, p.wipes = pick(r, -3600*second, 3600*second), 0
	}
	p.hedge = pick(r, 20*millisecond, 2*millisecond, 500)
	p.rash = pick[chance](r, 0, 5, 30)
	p.deadline = pick(r, 0, 250*millisecond, 10*millisecond)
	p.hasty = pick[chance](r, 0, 0, 5)
	p.flood = r.IntN(20) == 0
	p.stray = pick[chance](r, 0, 10, 50)
	if p.hour == 0 { // else what replaces a record of that node is out of the others' reach
		p.rots(r)
	}
}

func (p *profile) rots(r *rand.Rand) {
	p.rot = pick(r, 0, 0, 500, 2*millisecond, 10*millisecond)
	p.scrub = pick(r, 300, 2*millisecond, 10*millisecond)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
