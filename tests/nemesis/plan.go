package nemesis

import (
	"math/rand/v2"
	"os"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
)

const (
	// How long a fault lasts: half of them at most brief, one in longEvery at most
	// longest, the others at most usual.
	shortest  = 300 * time.Millisecond
	brief     = time.Second
	usual     = 6 * time.Second
	longest   = 20 * time.Second
	longEvery = 12
	between   = 2 * time.Second // at most, from when the cluster is whole again to the next fault
	// moved is how long a node goes on after its disk was copied. A copy younger
	// than a second can't be told from the disk.
	moved = 3 * time.Second
	// A flaky fault may come and go, so many times at most; it stays away
	// for at most mended.
	mostFlaps = 8
	mended    = 500 * time.Millisecond
	// Of each hundred packets, a bad link loses from leastLoss to mostLoss.
	leastLoss, mostLoss = 10, 60
)

// shape is how clients spread their calls: the shares of the hot key and of the
// ten warm ones, in percent; the many cold ones get the rest.
type shape struct {
	name      string
	hot, warm int
	pace      float64 // of the usual rate
}

func shapes() []shape {
	return []shape{
		{"ten keys", 0, 70, 1},
		{"one hot key", 60, 10, 1},
		{"many keys", 0, 0, 1},
		{"burst", 10, 40, 4},
	}
}

// plan is one fault and what goes with it.
type plan struct {
	kind   kind
	victim int   // number of the program
	others []int // some of those that it talks with
	loss   int   // in percent
	coin   bool
	away   time.Duration
	flaps  int           // how often it goes and comes back meanwhile
	mended time.Duration // each time
	shift  time.Duration // from the start of the fault to the next load
	shape  shape
	// wait, until the cluster is whole again, and pause. Else the next fault comes
	// as soon as all nodes vote.
	wait  bool
	pause time.Duration
}

// kind is one sort of fault.
type kind struct {
	name  string
	nodes bool // it is for nodes only
	flaky bool // it may come and go
	fault func(n *nemesis, p plan) latency.Fault
}

func kinds(tame bool) []kind {
	list := []kind{
		{"kill", false, false, func(n *nemesis, p plan) latency.Fault { return faults.Killed(n.c, p.victim, p.away) }},
		{"freeze", false, true, func(n *nemesis, p plan) latency.Fault { return faults.Frozen(n.c, p.victim, p.away) }},
	}
	if tame {
		return list
	}
	cut := func(what string, hooks []string) func(n *nemesis, p plan) latency.Fault {
		return func(n *nemesis, p plan) latency.Fault {
			return faults.CutOff(n, n.net, n.c, p.victim, what, hooks, p.away)
		}
	}
	parted := func(what string, hooks []string, fate faults.Fate) func(n *nemesis, p plan) latency.Fault {
		return func(n *nemesis, p plan) latency.Fault {
			return faults.Parted(n, n.net, n.c, p.victim, what, p.others, hooks, fate, p.away)
		}
	}
	return append(list,
		kind{"cut off", false, true, cut("cut off", faults.BothWays)},
		kind{"deaf", false, true, cut("deaf", faults.Inwards)},
		kind{"mute", false, true, cut("mute", faults.Outwards)},
		kind{"deaf to some", false, true, parted("deaf to some", faults.Inwards, faults.Dropped)},
		kind{"parted from some", false, true, parted("parted from some", faults.BothWays, faults.Dropped)},
		kind{"refused by some", false, true, parted("refused by some", faults.BothWays, faults.Refused)},
		kind{"on a bad link", false, true, func(n *nemesis, p plan) latency.Fault {
			return faults.Parted(n, n.net, n.c, p.victim, "on a bad link", p.others, faults.BothWays, faults.Lost(p.loss), p.away)
		}},
		kind{"restart", false, false, func(n *nemesis, p plan) latency.Fault { return faults.Restarted(n.c, p.victim) }},
		kind{"wipe", true, false, func(n *nemesis, p plan) latency.Fault { return faults.Wiped(n, n.c, p.victim, p.away) }},
		kind{"roll back", true, false, (*nemesis).rolledBack},
		kind{"fill", true, false, func(n *nemesis, p plan) latency.Fault {
			return faults.Full(n, n.c, p.victim, n.ballasts[p.victim], p.coin, p.away)
		}},
		kind{"fail a sync", true, false, func(n *nemesis, p plan) latency.Fault { return faults.SyncFailed(n, n.c, p.victim, p.away) }},
	)
}

// deck deals the kinds at random, each as often as any other: all of them before
// one comes again, so that a short run meets them all.
type deck struct {
	kinds []kind
	order []int
}

func (d *deck) deal(rng *rand.Rand) kind {
	if len(d.order) == 0 {
		d.order = rng.Perm(len(d.kinds))
	}
	next := d.kinds[d.order[0]]
	d.order = d.order[1:]
	return next
}

// draw draws the next fault and what goes with it. Every other one strikes a node
// that the last victim, if that was another node, may still depend on.
func draw(rng *rand.Rand, from *deck, last int) plan {
	p := plan{kind: from.deal(rng)}
	programs := placement.Nodes + gateways
	if p.kind.nodes {
		programs = placement.Nodes
	}
	p.victim = rng.IntN(programs)
	if step := 1 + rng.IntN(placement.Nodes-1); rng.IntN(2) == 0 && last < placement.Nodes {
		p.victim = (last + step) % placement.Nodes
	}
	p.others, p.loss = some(rng, p.victim), leastLoss+rng.IntN(mostLoss-leastLoss+1)
	p.away = shortest + time.Duration(rng.Int64N(int64(bound(rng)-shortest)))
	if flaps := rng.IntN(mostFlaps + 1); p.kind.flaky && rng.IntN(2) == 0 {
		p.flaps = flaps
	}
	p.mended = time.Duration(rng.Int64N(int64(mended)))
	p.shift = time.Duration(rng.Int64N(int64(p.away)))
	p.shape = shapes()[rng.IntN(len(shapes()))]
	p.coin, p.wait = rng.IntN(2) == 0, rng.IntN(2) == 0
	p.pause = time.Duration(rng.Int64N(int64(between)))
	return p
}

func bound(rng *rand.Rand) time.Duration {
	switch draw := rng.IntN(2 * longEvery); {
	case draw < longEvery:
		return brief
	case draw < longEvery+2:
		return longest
	}
	return usual
}

// some returns one or more of the programs that this one talks with, half of the
// time all. Gateways don't talk with each other.
func some(rng *rand.Rand, victim int) (others []int) {
	for other := range placement.Nodes + gateways {
		if other != victim && min(other, victim) < placement.Nodes {
			others = append(others, other)
		}
	}
	rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	if many := 1 + rng.IntN(len(others)); rng.IntN(2) == 0 {
		others = others[:many]
	}
	return others
}

// rolledBack puts a node's disk back to a copy: one that was made when this was
// last done to it, or one that is made now and that the node then leaves behind.
func (n *nemesis) rolledBack(p plan) latency.Fault {
	f := faults.Killed(n.c, p.victim, p.away)
	f.What = "rolled back"
	f.Do = func() {
		program, dir := n.c.Programs[p.victim], n.c.DataDir(p.victim)
		program.Kill()
		older, fresh := n.copies[p.victim], faults.Copy(n, dir)
		n.copies[p.victim] = fresh
		if older == "" || p.coin {
			older = fresh
			program.Start()
			n.c.AwaitReady(p.victim)
			n.pause(moved)
			program.Kill()
		}
		faults.RollBack(n, dir, older)
		if older != fresh {
			require.NoError(n, os.RemoveAll(older)) // its turn is over
		}
	}
	return f
}
