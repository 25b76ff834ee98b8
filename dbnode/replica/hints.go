package replica

import (
	"bytes"
	"fmt"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/register"
)

// Hints returns up to limit durable hints of a partition, in key order, from
// keys after the given one. Damaged ones are skipped.
func (r *Replica) Hints(partition uint16, after string, limit int) ([]register.Hint, error) {
	p := r.parts[partition]
	if p.seat != register.SeatW {
		return nil, fmt.Errorf("partition %d: this node is not the witness", partition)
	}
	_, to := recordRange(partition)
	var hints []register.Hint
	err := r.store.Scan(recordKey(partition, after), to, func(key, value []byte) bool {
		name := string(key[recordKeyHead:])
		if name == after {
			return true
		}
		// The scan's slices are reused, so the document is cut from a copy.
		rec, err := decodeRecord(key, bytes.Clone(value))
		if err == nil {
			hints = append(hints, register.Hint{Key: name, Record: rec})
		}
		return len(hints) < limit
	})
	return hints, err
}

// Disks returns the disks of a partition's group, as known here.
func (r *Replica) Disks(partition uint16) register.Incarnations {
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acc.Group().Disks
}

// AnyJoining reports whether some disk of a partition's group is not rebuilt.
func (r *Replica) AnyJoining(partition uint16) bool {
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acc.Group().AnyJoining()
}

// Joining reports whether this node may not vote yet in a partition.
func (r *Replica) Joining(partition uint16) bool {
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acc.Joining()
}

// Forget drops those of the hints that are still the very records given, and
// calls done with their number when that is durable. The caller has proof that
// both data replicas hold at least these ballots, synced, on those disks.
func (r *Replica) Forget(partition uint16, disks register.Incarnations, hints []register.Hint, done func(forgotten int, err error)) {
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	var ops []store.Op
	var keys []string
	for _, h := range hints {
		held, _, err := r.load(p, h.Key)
		if err != nil || !p.acc.Forget(h.Key, h.Record.Ballot, disks, held) {
			continue // replaced meanwhile: a new hint
		}
		ops = p.put(ops, h.Key, held, register.Record{})
		keys = append(keys, h.Key)
	}
	if len(ops) > 0 {
		p.acc.Forgot()
	}
	r.write(ops, func(err error) {
		for _, k := range keys {
			r.landed(p, k, true, false, err)
		}
		done(len(keys), err)
	})
}
