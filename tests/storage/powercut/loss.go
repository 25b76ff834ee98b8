package powercut

import (
	"math/rand/v2"
	"slices"
)

// Loss is what becomes of changes that were not synced.
type Loss int

// The losses. The first and the last are the same each time.
const (
	LoseAll  Loss = iota // none of them is left
	KeepSome             // some are left, of writes some pages, in no order, and the first of the names
	KeepHead             // all before some moment are left, and part of a write
	KeepAll              // no power cut: programs alone died. All is still to be seen, and no safer than before
)

func (l Loss) String() string {
	return [...]string{"all lost", "some kept", "head kept", "killed"}[l]
}

// AnyLoss draws what a power cut does.
func AnyLoss(r *rand.Rand) Loss { return Loss(r.IntN(int(KeepAll))) }

const (
	pageSize   = 4096 // what a cache writes back as one
	sectorSize = 512  // what a disk writes as one
)

// After returns the disk as it may be after a power cut at this moment.
func (d *Disk) After(loss Loss, r *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept.clone()
	if d.broken && loss == KeepAll {
		loss = LoseAll // it has to be mounted anew
	}
	switch loss {
	case LoseAll:
	case KeepAll:
		next := newDisk(kept, d.next)
		next.seen, next.wait = d.seen.clone(), slices.Clone(d.wait)
		next.past = append(slices.Clone(d.past), loss.String())
		return next
	case KeepHead:
		for _, o := range head(d.wait, r) {
			kept.apply(o)
		}
	case KeepSome:
		for _, o := range some(d.wait, r) {
			kept.apply(o)
		}
	}
	next := newDisk(kept, d.next)
	next.past = append(slices.Clone(d.past), "cut, "+loss.String())
	return next
}

// head returns the first of some changes; of the last, if it is a write, some
// sectors alone.
func head(all []op, r *rand.Rand) []op {
	n := r.IntN(len(all) + 1)
	if n == len(all) || all[n].kind != opWrite {
		return all[:n]
	}
	torn := all[n]
	torn.data = torn.data[:r.IntN(len(torn.data)+1)/sectorSize*sectorSize]
	return append(slices.Clone(all[:n]), torn)
}

// some returns any of some changes, and any pages of writes; but of those of
// names, the first few.
func some(all []op, r *rand.Rand) (kept []op) {
	names := 0
	for _, o := range all {
		if o.named() {
			names++
		}
	}
	names = r.IntN(names + 1)
	odds := r.Float64()
	for _, o := range all {
		if o.named() {
			if names > 0 {
				kept = append(kept, o)
			}
			names--
			continue
		}
		parts := []op{o}
		if o.kind == opWrite {
			parts = pages(o)
		}
		for _, part := range parts {
			if r.Float64() < odds {
				kept = append(kept, part)
			}
		}
	}
	return kept
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
