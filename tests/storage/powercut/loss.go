package powercut

import "math/rand/v2"

// Loss is what a power cut does to changes that were not synced.
type Loss int

// The losses. Only the first is the same each time.
const (
	LoseAll  Loss = iota // none of them is left
	KeepSome             // some are left, of writes some pages, in no order
	KeepHead             // all before some moment are left, and part of a write
	losses
)

func (l Loss) String() string { return [...]string{"all lost", "some kept", "head kept"}[l] }

// AnyLoss draws a loss.
func AnyLoss(r *rand.Rand) Loss { return Loss(r.IntN(int(losses))) }

const (
	pageSize   = 4096 // what a cache writes back as one
	sectorSize = 512  // what a disk writes as one
)

// After returns the disk as it may be after a power cut at this moment.
func (d *Disk) After(loss Loss, r *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept.clone()
	switch loss {
	case LoseAll, losses:
	case KeepHead:
		head := r.IntN(len(d.wait) + 1)
		for _, o := range d.wait[:head] {
			kept.apply(o)
		}
		if head < len(d.wait) && d.wait[head].kind == opWrite {
			torn := d.wait[head]
			torn.data = torn.data[:r.IntN(len(torn.data)+1)/sectorSize*sectorSize]
			kept.apply(torn)
		}
	case KeepSome:
		odds := r.Float64()
		for _, o := range d.wait {
			if o.kind == opWrite {
				for _, page := range pages(o) {
					if r.Float64() < odds {
						kept.apply(page)
					}
				}
			} else if r.Float64() < odds {
				kept.apply(o)
			}
		}
	}
	return newDisk(kept, d.next)
}

// pages splits a write at the bounds of pages.
func pages(o op) []op {
	var all []op
	for len(o.data) > 0 {
		n := min(int64(len(o.data)), pageSize-o.off%pageSize)
		page := o
		page.data = o.data[:n]
		all = append(all, page)
		o.off, o.data = o.off+n, o.data[n:]
	}
	return all
}
