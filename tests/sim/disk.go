package sim

import (
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store/mem"
)

// fill makes the disk full for a while; others may be at the same time.
func (n *node) fill() {
	if !n.full {
		n.setFull(true)
		n.sim.after(n.sim.spread(n.sim.profile.full), func() { n.setFull(false) })
	}
}

// loseDisk leaves a stopped node with a blank disk, or with a copy that was made
// before.
func (n *node) loseDisk() {
	n.exchange()
	var c *diskCopy
	if n.sim.rng.IntN(4) != 0 {
		c = n.oldCopy()
	}
	if c == nil {
		n.sim.tracef("n%d gets a blank disk", n.id)
		n.sim.watch.fault(faultBlank)
		n.disk = mem.NewDisk()
		n.lostAs = n.told.Incarnation
		return
	}
	n.sim.tracef("n%d gets an old copy of its disk, of before or at %+v", n.id, c.life)
	n.sim.watch.fault(faultOldCopy)
	n.disk = c.disk.Clone()
	n.lostAs = 0
	if n.known(c) {
		n.lostAs = n.told.Incarnation
	}
}

// exchange says that the disk of before is gone.
func (n *node) exchange() {
	n.vows.end()
	n.replaced, n.exchanged, n.exchangedAt = true, true, n.sim.now
}

// diskCopy is a disk as it was at some moment.
type diskCopy struct {
	disk *mem.Disk
	life replica.Life // of then, or one that was yet to be synced
	boot uint64       // of the start that came after; then life is that of it
	next bool         // that start got a number of its own
}

const maxCopies = 4

// keep keeps a copy of the disk, and forgets an older one.
func (n *node) keep(c diskCopy) {
	n.older = append(n.older[max(0, len(n.older)-maxCopies+1):], c)
}

// known reports whether both peers have on record what proves the copy old: a
// later disk, the start that followed, or a higher beat.
func (n *node) known(c *diskCopy) bool {
	if c.life.Incarnation != n.told.Incarnation {
		return c.life.Incarnation < n.told.Incarnation
	}
	if c.next {
		return c.life.Incarnation > 0 && n.told.Boots >= c.life.Boots
	}
	return c.life.Beat < n.told.Beat
}

// oldCopy returns a copy that can be told from the disk, the latest of them or any;
// nil if there is none. Of later ones nobody can tell: that is the second of
// exposure that production has between two hellos. One of before a start in which
// the node was not admitted lacks nothing that it ever told.
func (n *node) oldCopy() *diskCopy {
	var told []*diskCopy
	for i := range n.older {
		if c := &n.older[i]; n.known(c) || c.boot > n.votedIn {
			told = append(told, c)
		}
	}
	switch {
	case len(told) == 0:
		return nil
	case n.sim.rng.IntN(2) == 0:
		n.sim.watch.fault(faultNewCopy)
		return told[len(told)-1]
	}
	return told[n.sim.rng.IntN(len(told))]
}

// setAside replaces a disk that turned out to be lost.
func (n *node) setAside() {
	if !n.up {
		return
	}
	n.sim.tracef("n%d sets its disk aside", n.id)
	n.sim.watch.branch(branchSetAside)
	if !n.replaced {
		n.sim.oracle.violate("n%d sets its disk aside, which was never lost", n.id)
	}
	n.lostAs = n.told.Incarnation
	n.stop(false)
	n.vows.end()
	n.disk = mem.NewDisk()
	n.start()
}

// spoiled replaces a disk on which the node can't start: what it keeps of itself is
// damaged.
func (n *node) spoiled() {
	n.sim.tracef("n%d can't start on its disk, and sets it aside", n.id)
	n.sim.watch.branch(branchStateLost)
	if err := n.store.Close(); err != nil {
		panic(err)
	}
	n.exchange()
	n.disk = mem.NewDisk()
	n.lostAs = n.told.Incarnation
}
