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
	kind string // of the mixes below
	calm bool   // no fault at all: every operation must touch exactly two nodes

	gateways, clients, operations int // clients of each gateway, operations of each client
	keys, partitions              int
	moving                        int64  // all clients use one key for so long, and then the next; 0 for any at any time
	mix                           [4]int // shares of reads, creates, appends and deletes

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
	failing  chance // that a disk fails its writes for a while before its node goes down
	fatal    moment // after which a fault may strike a node at once
	fatality chance // that it does
	relapse  chance // that a node goes down again soon after it started
	aloof    chance // that a hello gets no answer
	hello    int64  // mean time between two hellos of a node
	collect  int64  // mean time between two looks for tombstones
	compare  int64  // mean time between two comparisons of the data replicas
	full     int64  // mean time between a node's disk getting full, and mean time it stays so; 0 for never
	rot      int64  // mean time between flips of a bit on a disk, 0 for none
	stateRot chance // that it is of what a node keeps of itself
	scrub    int64  // mean time between two looks for them, and between two repairs
	restarts int64  // mean time between restarts of a gateway, 0 for none
	fresh    chance // that an operation finds its gateway as one that was just started
	held     chance // that a message between gateway and node is held until a hint is forgotten
	skew     int64  // clocks are off by up to this
	frozen   chance // that a clock stands still for long
	hour     int64  // the clock of one node is that far off
	jumps    int64  // mean time between jumps of a clock, 0 for none
	jumpBy   int64  // by up to that
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
		mix:        [4]int{4, 2, 2, 2},
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
	if r.IntN(2) == 0 {
		p.mix = [4]int{1 + r.IntN(8), 1 + r.IntN(8), r.IntN(8), r.IntN(8)}
	}
	switch n := r.IntN(20); {
	case n == 0:
		p.kind, p.calm = "calm", true
		p.sync = pick[int64](r, 20, 200, 500) // well within the hedge
		p.hedge = 100 * millisecond           // three syncs in a row, each twice its usual time, are not late
	case n < 4:
		p.mixed(r)
	case n < 7:
		p.racing(r)
	case n < 14:
		p.hot(r)
	default:
		p.swarm(r)
	}
	if p.hour > 0 && r.IntN(2) == 0 { // such a clock alone puts no gateway out of service
		p.wipes, p.rot, p.jumps = 0, 0, 0
	}
	if !p.calm {
		p.full = pick(r, 0, 0, millisecond, 4*millisecond, 20*millisecond)
	}
	return p
}

func (p *profile) hot(r *rand.Rand) {
	p.kind = "hot"
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
	p.fresh = pick[chance](r, 0, 0, 30)
	p.skew = pick(r, 0, millisecond, 10*millisecond)
	p.frozen = pick[chance](r, 0, 30)
	p.hedge = pick(r, millisecond, 4*millisecond, 20*millisecond)
	p.rash = pick[chance](r, 0, 0, 10)
	p.deadline = 60 * millisecond
	p.think = pick[int64](r, 20, 200, 1000)
	p.handoff = pick[int64](r, 200, 1000, 4000)
	p.stray = pick[chance](r, 10, 30, 60)
	p.flood = r.IntN(20) == 0
	p.rots(r)
	p.points(r)
}

// racing loses nothing: slow messages, handoffs and fresh gateways race, and the
// witness is asked as often as the data replicas are.
func (p *profile) racing(r *rand.Rand) {
	p.kind = "racing"
	p.gateways = 2 + r.IntN(6)
	p.clients = 1 + r.IntN(2)
	p.operations = 2 + r.IntN(4)
	p.keys = pick(r, 1, 3, 6)
	p.latency = 50
	p.slow = pick[chance](r, 20, 40, 60)
	p.slowness = pick[int64](r, 10, 30, 60)
	p.double = pick[chance](r, 0, 10, 40)
	p.restarts = pick(r, 0, 0, 4*millisecond)
	p.fresh = pick[chance](r, 0, 50, 100)
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
	if r.IntN(2) == 0 {
		p.young(r)
	}
}

// young has each key used for a short time only: what races there is the first
// record of all, of which the one acceptor has yet to hear while another hands it off.
func (p *profile) young(r *rand.Rand) {
	p.kind = "young"
	p.keys = 6
	p.operations = 6 + r.IntN(6)
	p.moving = pick(r, millisecond, 2*millisecond)
	p.mix = [4]int{8, 3, r.IntN(2), r.IntN(3)}
	p.fresh = 100
	p.eager = pick(r, 200, 600, millisecond)
	p.held = pick[chance](r, 0, 20, 40)
}

func (p *profile) mixed(r *rand.Rand) {
	p.kind = "mixed"
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
		p.maxDown = 3
	}
	p.restarts = pick(r, 0, 0, 10*millisecond, 30*millisecond)
	p.skew = pick(r, 0, millisecond, 50*millisecond, 8*second)
	p.frozen = pick[chance](r, 0, 0, 50)
	if r.IntN(10) == 0 {
		p.hour = pick(r, -hour, hour)
	}
	p.hedge = pick(r, 20*millisecond, 2*millisecond, 500)
	p.rash = pick[chance](r, 0, 5, 30)
	p.deadline = pick(r, 0, 250*millisecond, 10*millisecond)
	p.hasty = pick[chance](r, 0, 0, 5)
	p.flood = r.IntN(20) == 0
	p.stray = pick[chance](r, 0, 10, 50)
	p.rots(r)
	p.points(r)
}

// swarm draws whether there is each kind of fault at all, and how much of it, so that
// any few of them meet without the others in their way.
func (p *profile) swarm(r *rand.Rand) {
	p.kind = "swarm"
	some := func() bool { return r.IntN(2) == 0 }
	p.gateways = 1 + r.IntN(3)
	p.latency = pick[int64](r, 50, 100, 400)
	p.think = pick[int64](r, 20, 200, 1000)
	p.handoff = pick[int64](r, 200, 1000, 4000)
	p.collect = pick[int64](r, 300, 1000, 4000)
	p.hedge = pick(r, 500, millisecond, 4*millisecond, 20*millisecond)
	p.away = pick(r, 50, 200, millisecond, 4*millisecond)
	p.deadline = pick(r, 0, 10*millisecond, 60*millisecond)
	p.stray, p.fresh = pick[chance](r, 0, 10, 30, 60, 90), pick[chance](r, 0, 0, 30, 100)
	if some() {
		p.slow, p.slowness = pick[chance](r, 2, 10, 40), pick[int64](r, 10, 30, 100)
	}
	if some() {
		p.loss, p.late = pick[chance](r, 1, 4, 10), pick[chance](r, 0, 50, 90)
	}
	if some() {
		p.double = pick[chance](r, 5, 25, 40)
	}
	p.cuts = some()
	if some() {
		p.crashes = pick(r, 2*millisecond, 5*millisecond, 20*millisecond)
		p.clean = pick[chance](r, 0, 20, 100)
	}
	if some() {
		p.wipes, p.second = pick[chance](r, 30, 100), pick[chance](r, 0, 30)
		if some() { // back and rebuilt while messages of before are still under way
			p.latency, p.sync, p.away = 50, 20, 50
		}
	}
	if r.IntN(8) == 0 {
		p.maxDown = 3
	}
	if some() {
		p.restarts = pick(r, 4*millisecond, 20*millisecond)
	}
	p.clocks(r, some)
	if some() {
		p.rash, p.hasty = pick[chance](r, 5, 30), pick[chance](r, 0, 5)
	}
	if some() {
		p.eager = pick[int64](r, 100, 400, 1000)
	}
	p.flood = r.IntN(20) == 0
	if some() {
		p.rots(r)
	}
	if some() {
		p.points(r)
	}
}

// clocks draws what is wrong with them.
func (p *profile) clocks(r *rand.Rand, some func() bool) {
	if some() {
		p.skew = pick(r, millisecond, 50*millisecond, 8*second)
	}
	if some() {
		p.frozen = 30
	}
	if r.IntN(8) == 0 {
		p.hour = pick(r, -hour, hour)
	}
	if r.IntN(4) == 0 {
		p.jumps, p.jumpBy = pick(r, 2*millisecond, 10*millisecond), pick(r, millisecond, 50*millisecond, 8*second, hour)
	}
}

// points draws crashes at a certain step of the protocol, failing disks, and hellos
// that nobody answers.
func (p *profile) points(r *rand.Rand) {
	p.failing = pick[chance](r, 0, 0, 20)
	p.aloof = pick[chance](r, 0, 0, 20, 60)
	p.relapse = pick[chance](r, 0, 0, 20, 60)
	if r.IntN(2) == 0 {
		p.fatal, p.fatality = moment(1+r.IntN(int(moments)-1)), pick[chance](r, 2, 10, 30)
	}
	if p.flood && r.IntN(2) == 0 {
		p.fatal, p.fatality = momentPromised, 30
	}
	if p.away == 0 {
		p.away = millisecond
	}
}

func (p *profile) rots(r *rand.Rand) {
	p.rot = pick(r, 0, 0, 500, 2*millisecond, 10*millisecond)
	p.stateRot = pick[chance](r, 0, 10, 30)
	p.scrub = pick(r, 300, 2*millisecond, 10*millisecond)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
