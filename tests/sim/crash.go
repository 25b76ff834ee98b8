package sim

import "errors"

// moment is a step of the protocol right after which a fault may strike its node:
// what it has just told others must not rest on what it has yet to do.
type moment uint8

// The moments; each run draws one.
const (
	momentNone      moment = iota
	momentTold             // both peers have its life on record
	momentAdmitted         // it may answer
	momentRejoined         // it took a new incarnation
	momentRebuilt          // a partition was rebuilt
	momentPromised         // it said yes to a prepare
	momentAccepted         // it said yes to an accept
	momentTook             // it did so while it was being rebuilt
	momentForgot           // it forgot hints
	momentCollected        // it dropped a tombstone, or was barred
	momentMended           // it replaced a damaged record
	moments
)

// reached says that the node has come to a moment.
func (n *node) reached(m moment) {
	p := &n.sim.profile
	if m != p.fatal || !n.sim.chance(p.fatality) {
		return
	}
	if n.sim.chance(20) {
		n = n.sim.nodes[n.sim.rng.IntN(len(n.sim.nodes))] // another one, which relies on it
	}
	alive := n.alive()
	n.sim.after(1+n.sim.rng.Int64N(50), func() {
		if alive() {
			n.strike()
		}
	})
}

// maxFloods bounds how often a run has promises pushed out, each of which is work.
const maxFloods = 8

// maybeRelapse has the node go down again, right after it started.
func (n *node) maybeRelapse() {
	s := n.sim
	if !s.chance(s.profile.relapse) {
		return
	}
	alive := n.alive()
	s.after(s.rng.Int64N(4*millisecond), func() {
		if alive() && s.mayFail(n) {
			s.watch.fault(faultRelapse)
			n.crash(s.chance(s.profile.wipes))
		}
	})
}

// strike has the node crash, or its disk flip a bit, or promises pushed out, as far as
// this run knows such faults.
func (n *node) strike() {
	s, p := n.sim, &n.sim.profile
	switch {
	case p.flood && s.floods < maxFloods && s.chance(50):
		n.flood()
	case p.rot > 0 && s.chance(30):
		s.rotAt(n)
	case s.mayFail(n):
		s.watch.fault(faultAtPoint)
		n.crash(s.chance(p.wipes))
	}
}

// trouble counts the nodes that are down, and those that are in trouble at all.
func (s *sim) trouble() (down, troubled int) {
	for _, n := range s.nodes {
		if !n.up {
			down++
		}
		if n.troubled() {
			troubled++
		}
	}
	return down, troubled
}

// mayFail reports whether the node may go down now: one node is in trouble at a
// time, always the same until it is not, unless this run is one of those that let
// another go down meanwhile.
func (s *sim) mayFail(n *node) bool {
	down, troubled := s.trouble()
	if s.healed || !n.up || down >= s.profile.maxDown {
		return false
	}
	return troubled == 0 || n.troubled() || s.chance(s.profile.second)
}

// crashOne takes a node down, or all that are up in a run in which the power fails.
func (s *sim) crashOne() {
	if s.profile.maxDown > 1 {
		s.powerCut()
		return
	}
	if n := s.nodes[s.rng.IntN(len(s.nodes))]; s.mayFail(n) {
		n.crash(s.chance(s.profile.wipes))
	}
}

// powerCut takes all nodes down; one of them may lose its disk.
func (s *sim) powerCut() {
	down, troubled := s.trouble()
	if s.healed || down >= s.profile.maxDown {
		return
	}
	s.watch.fault(faultAllDown)
	loser := -1
	if troubled == 0 && s.chance(s.profile.wipes) {
		loser = s.rng.IntN(len(s.nodes))
	}
	for i, n := range s.nodes {
		if n.up {
			n.goDown(i == loser)
		}
	}
}

// crash takes the node down for a while, at once or a while after its disk began
// to fail; it loses that disk only if no other node is in trouble.
func (n *node) crash(losesDisk bool) {
	s := n.sim
	_, troubled := s.trouble()
	if troubled > 0 && !n.troubled() {
		s.watch.fault(faultTwoDown)
		losesDisk = false
	}
	losesDisk = losesDisk && (troubled == 0 || troubled == 1)
	if n.failing || !s.chance(s.profile.failing) {
		n.goDown(losesDisk)
		return
	}
	s.tracef("n%d's disk begins to fail", n.id)
	s.watch.begin(faultSyncFails)
	n.failing = true
	n.disk.Break(errDisk)
	alive := n.alive()
	s.after(s.spread(2*millisecond), func() {
		if alive() {
			n.goDown(losesDisk)
		}
	})
}

func (n *node) goDown(losesDisk bool) {
	n.stop(!n.failing && n.sim.chance(n.sim.profile.clean))
	if losesDisk {
		n.loseDisk()
	}
	n.sim.after(n.sim.spread(n.sim.profile.away), n.startAgain)
}

var errDisk = errors.New("input/output error")

func (n *node) startAgain() {
	if !n.up {
		n.start()
	}
}

// stop ends the node: in good order, by a disk that fails, or by a crash that
// keeps a part of what was written and not yet synced.
func (n *node) stop(clean bool) {
	w := &n.sim.watch
	if !clean && !n.failing && n.sim.chance(10) {
		n.sim.tracef("n%d's disk fails", n.id)
		w.fault(faultSyncFails)
		n.disk.Break(errDisk)
		n.store.Sync() // nothing of it may be answered
	}
	if n.failing {
		w.end(faultSyncFails)
	}
	n.up, n.failing, n.clean = false, false, clean
	n.endRoutines()
	n.inbox = nil
	if clean {
		n.sim.tracef("n%d stops in good order", n.id)
		w.begin(faultStop)
		n.replica.Seal(func(error) {})
		n.store.Sync()
		if err := n.store.Close(); err != nil {
			panic(err)
		}
		return
	}
	w.begin(faultCrash)
	waiting := n.store.Waiting()
	kept := n.sim.rng.IntN(waiting + 1)
	n.sim.tracef("n%d crashes; %d of %d unsynced writes are kept", n.id, kept, waiting)
	switch {
	case kept == waiting:
	case kept > 0:
		w.fault(faultTorn)
	default:
		w.fault(faultUnsynced)
	}
	n.store.SyncN(kept)
	n.disk.Crash()
}
