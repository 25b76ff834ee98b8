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

// loseDisk leaves a stopped node with a blank disk, or with a copy made before
// one of its last starts.
func (n *node) loseDisk() {
	n.exchanged, n.exchangedAt = true, n.sim.now
	if n.sim.rng.IntN(2) == 0 {
		n.sim.tracef("n%d gets a blank disk", n.id)
		n.disk = mem.NewDisk()
		return
	}
	n.sim.tracef("n%d gets an old copy of its disk", n.id)
	n.disk = n.oldCopy().Clone()
}

// diskCopy is a disk as it was at some moment.
type diskCopy struct {
	disk *mem.Disk
	life replica.Life // that was shown then; none for a copy from before a start
}

const maxCopies = 4

// copyDisk keeps a copy of the disk, and forgets an older one.
func (n *node) copyDisk(life replica.Life) {
	n.older = append(n.older[max(0, len(n.older)-maxCopies+1):], diskCopy{n.disk.Clone(), life})
}

// oldCopy returns a copy that can be told from the disk: from before a start, or
// both peers have since heard of writes that it may lack. Later ones can't be
// told, which is the second of exposure that production has between two hellos.
func (n *node) oldCopy() *mem.Disk {
	var told []*mem.Disk
	for _, c := range n.older {
		if c.life.Incarnation == 0 || c.life.Incarnation == n.told.Incarnation && c.life.Beat < n.told.Beat {
			told = append(told, c.disk)
		}
	}
	if len(told) == 0 {
		return mem.NewDisk()
	}
	return told[n.sim.rng.IntN(len(told))]
}

// setAside replaces a disk that turned out to be lost.
func (n *node) setAside() {
	if !n.up {
		return
	}
	n.sim.tracef("n%d sets its disk aside", n.id)
	n.stop(false)
	n.disk = mem.NewDisk()
	n.start()
}
