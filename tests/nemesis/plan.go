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
	shortest = 300 * time.Millisecond // that a fault lasts
	usual    = 6 * time.Second
	longest  = 20 * time.Second // one fault in longEvery
	between  = 2 * time.Second  // at most, from the end of a fault to the next
	// moved is how long a node goes on after its disk was copied. A copy younger
	// than a second can't be told from the disk.
	moved     = 3 * time.Second
	longEvery = 12
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
	victim int // number of the program
	other  int // another one
	coin   bool
	away   time.Duration
	shift  time.Duration // from the start of the fault to the next load
	shape  shape
	wait   bool          // until the cluster is whole, and not just until all vote
	pause  time.Duration // before the next fault
}

// kind is one sort of fault.
type kind struct {
	name  string
	nodes bool // it is for nodes only
	fault func(n *nemesis, p plan) latency.Fault
}

func kinds(tame bool) []kind {
	list := []kind{
		{"kill", false, func(n *nemesis, p plan) latency.Fault { return faults.Killed(n.c, p.victim, p.away) }},
		{"freeze", false, func(n *nemesis, p plan) latency.Fault { return faults.Frozen(n.c, p.victim, p.away) }},
	}
	if tame {
		return list
	}
	cut := func(what string, hooks []string) func(n *nemesis, p plan) latency.Fault {
		return func(n *nemesis, p plan) latency.Fault {
			return faults.CutOff(n, n.net, n.c, p.victim, what, hooks, p.away)
		}
	}
	return append(list,
		kind{"cut off", false, cut("cut off", faults.BothWays)},
		kind{"deaf", false, cut("deaf", faults.Inwards)},
		kind{"mute", false, cut("mute", faults.Outwards)},
		kind{"deaf to one", false, func(n *nemesis, p plan) latency.Fault {
			return faults.DeafTo(n, n.net, n.c, p.victim, p.other, p.away)
		}},
		kind{"restart", false, func(n *nemesis, p plan) latency.Fault { return faults.Restarted(n.c, p.victim) }},
		kind{"wipe", true, func(n *nemesis, p plan) latency.Fault { return faults.Wiped(n, n.c, p.victim, p.away) }},
		kind{"roll back", true, (*nemesis).rolledBack},
		kind{"fill", true, func(n *nemesis, p plan) latency.Fault {
			return faults.Full(n, n.c, p.victim, n.ballasts[p.victim], p.coin, p.away)
		}},
		kind{"fail a sync", true, func(n *nemesis, p plan) latency.Fault { return faults.SyncFailed(n, n.c, p.victim, p.away) }},
	)
}

// draw draws as much from rng for one kind as for another.
func draw(rng *rand.Rand, from []kind) plan {
	p := plan{kind: from[rng.IntN(len(from))]}
	node, program := rng.IntN(placement.Nodes), rng.IntN(placement.Nodes+gateways)
	p.victim = program
	if p.kind.nodes {
		p.victim = node
	}
	p.other = (p.victim + 1 + rng.IntN(placement.Nodes+gateways-1)) % (placement.Nodes + gateways)
	if p.victim >= placement.Nodes && p.other >= placement.Nodes {
		p.other = node // gateways don't talk with each other
	}
	bound := usual
	if rng.IntN(longEvery) == 0 {
		bound = longest
	}
	p.away = shortest + time.Duration(rng.Int64N(int64(bound-shortest)))
	p.shift = time.Duration(rng.Int64N(int64(p.away)))
	p.shape = shapes()[rng.IntN(len(shapes()))]
	p.coin, p.wait = rng.IntN(2) == 0, rng.IntN(2) == 0
	p.pause = time.Duration(rng.Int64N(int64(between)))
	return p
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
