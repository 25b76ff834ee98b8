package sim

import (
	"context"
	"errors"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/dbnode/replica"
)

// quietTime is how long anti-entropy lets replicas differ.
const quietTime = 50 * millisecond

// hello shows the node's life to its peers, as production does, and does what
// the answers call for; until it is admitted it tries again and again.
func (n *node) hello() {
	if !n.up || n.greeting {
		return
	}
	n.greeting = true
	n.begin(func(r *routine) {
		var own replica.Life
		err := errGone
		before, admitted := r.replica.Life(), r.replica.Admitted()
		r.Show(func(life replica.Life, e error) { own, err = life, e })
		if err == nil && !admitted && own.Beat > before.Beat {
			n.sim.oracle.violate("n%d raises its beat to %d though it may be an old copy", n.id, own.Beat)
		}
		busy := false
		if err == nil {
			busy, err = r.show(own)
		}
		if r.stopped {
			return
		}
		n.greeting = false
		switch {
		case errors.Is(err, membership.ErrLostDisk):
			n.sim.after(1, n.setAside)
		case busy || !r.replica.Admitted():
			n.sim.after(n.sim.spread(millisecond), n.hello)
		}
		n.rebuild()
	})
}

// show shows a life to both peers and does what they call for.
func (r *routine) show(own replica.Life) (busy bool, err error) {
	n := r.node
	n.keep(diskCopy{disk: n.disk.Clone(), life: r.replica.Life()})
	was, before := r.replica.Admitted(), r.replica.Life()
	told := n.toldByPeers()
	answers := r.ask(own)
	heard := 0
	for _, a := range answers {
		if a.Err == nil {
			heard++
		}
	}
	if heard == len(answers) {
		n.told = own
		n.reached(momentTold)
	}
	busy, err = membership.NewMember(n.id, r, r.replica, nil, discard).Take(answers)
	if !r.stopped {
		n.tookPart(before, was, heard, err)
		if !was && r.replica.Admitted() && r.replica.Life().Joining {
			n.probeFence(told)
		}
	}
	if n.sim.out != nil {
		n.sim.tracef("n%d said hello as %+v: %v", n.id, own, err)
		if !was && r.replica.Admitted() {
			n.sim.tracef("n%d is admitted", n.id)
		}
	}
	return busy, err
}

// tookPart checks that a node whose disk was lost takes part under a new
// incarnation only, and notes what a hello led to.
func (n *node) tookPart(before replica.Life, was bool, heard int, err error) {
	w := &n.sim.watch
	own := n.replica.Life()
	switch admitted := n.replica.Admitted(); {
	case !was && admitted:
		n.votedIn = n.boots
		n.reached(momentAdmitted)
		n.probe()
		if own.Incarnation <= n.lostAs {
			n.sim.oracle.violate("n%d takes part as incarnation %d, of which the disk is lost", n.id, own.Incarnation)
		}
		switch {
		case own.Joining:
			w.branch(branchFenced)
		case heard == 1:
			w.branch(branchAdmittedByOne)
		default:
			w.branch(branchAdmittedByBoth)
		}
	case own.Incarnation > before.Incarnation && own.Joining:
		w.branch(branchRejoined)
		n.reached(momentRejoined)
	case own.Incarnation > before.Incarnation:
		w.branch(branchFormed)
	case err != nil && !errors.Is(err, membership.ErrLostDisk):
		w.branch(branchWaits)
	}
}

// rebuild brings back what a lost disk held.
func (n *node) rebuild() {
	if !n.up || n.rebuilding || !n.replica.Admitted() || !n.replica.Life().Joining {
		return
	}
	n.rebuilding = true
	n.begin(func(r *routine) {
		worker := repair.NewRebuild(n.id, n.sim.places, r, r, r, r.replica.Admitted, discard)
		for r.replica.Life().Joining && !r.stopped {
			if _, err := worker.Step(context.Background()); err != nil && !r.stopped {
				n.sim.tracef("n%d rebuilds: %v", n.id, err)
				n.sim.watch.branch(rebuildWaits(err))
				r.await(func(woken func()) { n.sim.after(n.sim.spread(millisecond), woken) })
			}
		}
		if !r.stopped {
			n.rebuilding = false
			n.sim.tracef("n%d is whole", n.id)
			n.sim.watch.branch(branchWhole)
			n.sim.after(1, n.hello)
		}
	})
}

func rebuildWaits(err error) branch {
	switch {
	case errors.Is(err, errLate) || errors.Is(err, errGone):
		return branchRebuildRetried
	case errors.Is(err, replica.ErrReadOnly):
		return branchRebuildWaitsForRoom
	}
	return branchDiffers
}

// collect looks for tombstones that can be dropped.
func (n *node) collect() {
	if !n.up || n.collecting {
		return
	}
	n.collecting = true
	n.begin(func(r *routine) {
		worker := repair.NewCollector(n.id, n.sim.places, r, r, r)
		for range 2 * n.sim.profile.partitions {
			if busy, _ := worker.Step(context.Background()); !busy || r.stopped {
				break
			}
		}
		if !r.stopped {
			n.collecting = false
		}
	})
}

// compare runs anti-entropy once through the node's partitions.
func (n *node) compare() {
	if !n.up || n.comparing {
		return
	}
	n.comparing = true
	healed := n.sim.healed
	n.begin(func(r *routine) {
		quiet := func(context.Context) error {
			if !r.await(func(woken func()) { n.sim.after(quietTime, woken) }) {
				return errGone
			}
			return nil
		}
		worker := repair.NewAntiEntropy(n.id, n.sim.places, r, r, r, r.replica.AnyJoining, quiet, discard)
		for busy := true; busy && !r.stopped; {
			busy, _ = worker.Step(context.Background())
		}
		if found := worker.Found.Load(); found > 0 {
			n.sim.tracef("n%d found %d differences", n.id, found)
			n.sim.watch.branch(branchHealed)
			// Hints wait for long at the moment when the time of faults ends.
			if n.sim.profile.calm && healed == n.sim.healed {
				n.sim.oracle.violate("anti-entropy found %d differences though nothing was wrong", found)
			}
		}
		if !r.stopped {
			n.comparing = false
			if worker.Passes.Load() > 0 && worker.Found.Load() == 0 {
				n.sim.watch.branch(branchTreesSame)
			}
		}
	})
}

// troubled reports whether the node is down, or not whole, or runs on a disk of
// which a peer may yet say that it is an old copy, or that holds a damaged record.
func (n *node) troubled() bool {
	if !n.up || n.failing || !n.replica.Admitted() || n.replica.Life().Joining || n.rots() {
		return true
	}
	if n.exchanged {
		if n.sim.now < n.exchangedAt+longestDelay {
			return true // a hello from before may yet reach a peer, whose disk is then not to be older
		}
		for _, peer := range n.sim.nodes {
			if peer.replica.Identity().Lives[n.id] != n.replica.Life() {
				return true
			}
		}
		n.exchanged = false
	}
	return false
}
