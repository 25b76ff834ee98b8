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
		r.Show(func(life replica.Life, e error) { own, err = life, e })
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
	n.copyDisk(own)
	was := r.replica.Admitted()
	answers := r.ask(own)
	if answers[0].Err == nil && answers[1].Err == nil {
		n.told = own
	}
	busy, err = membership.NewMember(n.id, r, r.replica, nil, discard).Take(answers)
	if n.sim.out != nil {
		n.sim.tracef("n%d said hello as %+v: %v", n.id, own, err)
		if !was && r.replica.Admitted() {
			n.sim.tracef("n%d is admitted", n.id)
		}
	}
	return busy, err
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
				r.await(func(woken func()) { n.sim.after(n.sim.spread(millisecond), woken) })
			}
		}
		if !r.stopped {
			n.rebuilding = false
			n.sim.tracef("n%d is whole", n.id)
			n.sim.after(1, n.hello)
		}
	})
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
			// Hints wait for long at the moment when the time of faults ends.
			if n.sim.profile.calm && healed == n.sim.healed {
				n.sim.oracle.violate("anti-entropy found %d differences though nothing was wrong", found)
			}
		}
		if !r.stopped {
			n.comparing = false
		}
	})
}

// troubled reports whether the node is down, or not whole, or runs on a disk of
// which a peer may yet say that it is an old copy, or that holds a damaged record.
func (n *node) troubled() bool {
	if !n.up || !n.replica.Admitted() || n.replica.Life().Joining || n.rots() {
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
