package sim

import (
	"bytes"
	"context"
	"slices"

	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/pkg/register"
)

// maxRots bounds the flips of a run: each sets its key's ballots ahead of the clocks,
// which a thousand of one record would leave behind for good.
const maxRots = 100

// rotOne flips a bit on a node's disk, while no other node is in trouble.
func (s *sim) rotOne() { s.rotAt(s.nodes[s.rng.IntN(len(s.nodes))]) }

func (s *sim) rotAt(n *node) {
	if s.rots == maxRots {
		return
	}
	for _, other := range s.nodes {
		if other != n && other.troubled() {
			return
		}
	}
	switch {
	case !n.up || n.failing:
	case s.chance(s.profile.stateRot):
		n.rot(faultStateRot, []byte{'s'}, []byte{'t'})
	default:
		n.rot(faultRot, []byte{'r'}, []byte{'s'})
	}
}

// rot flips a bit of one stored value. The node is in trouble until that was
// replaced.
func (n *node) rot(f fault, from, to []byte) {
	var keys, values [][]byte
	err := n.store.Scan(from, to, func(key, value []byte) bool {
		if bytes.Equal(n.rotten[string(key)], value) {
			return true // more flips might make it whole again
		}
		keys, values = append(keys, bytes.Clone(key)), append(values, bytes.Clone(value))
		return true
	})
	if err != nil {
		panic(err)
	}
	if len(keys) == 0 {
		return
	}
	n.sim.watch.fault(f)
	n.sim.rots++
	i := n.sim.rng.IntN(len(keys))
	bit := n.sim.rng.IntN(8 * len(values[i]))
	n.disk.Flip(keys[i], bit)
	values[i][bit/8] ^= 1 << (bit % 8)
	if n.rotten == nil {
		n.rotten = map[string][]byte{}
	}
	n.rotten[string(keys[i])] = values[i]
	n.sim.tracef("n%d's disk flips bit %d of %q", n.id, bit, keys[i])
}

// rots reports whether a record that rotted is still there.
func (n *node) rots() bool {
	there := false
	for key, bad := range n.rotten { // all of them, for their order is none
		if value, err := n.store.Get([]byte(key)); err == nil && bytes.Equal(value, bad) {
			there = true
			continue
		}
		if key[0] == 's' {
			n.sim.watch.branch(branchStateWrittenAnew)
		}
		delete(n.rotten, key)
	}
	return there
}

// scrub reads all that the node holds, once, unless there is nothing to be found.
func (n *node) scrub() {
	if !n.up || len(n.rotten) == 0 {
		return
	}
	worker := repair.NewScrub(n.sim.places, n.replica)
	for worker.Passes.Load() == 0 {
		if _, err := worker.Step(context.Background()); err != nil {
			n.sim.oracle.violate("n%d can't be scrubbed: %v", n.id, err)
			return
		}
	}
	n.planSync()
}

// mend replaces the node's damaged records, as far as they are known.
func (n *node) mend() {
	if !n.up || n.mending || !n.replica.Admitted() {
		return
	}
	n.mending = true
	n.begin(func(r *routine) {
		worker := repair.NewMender(n.id, n.sim.places, r, r, r, discard)
		for busy := true; busy && !r.stopped; {
			var err error
			before := r.replica.DamageCount()
			if busy, err = worker.Step(context.Background()); err != nil && !r.stopped {
				n.sim.tracef("n%d mends: %v", n.id, err)
			}
			if r.replica.DamageCount().Healed > before.Healed {
				n.sim.watch.branch(branchMended)
				n.reached(momentMended)
			}
		}
		if !r.stopped {
			n.mending = false
		}
	})
}

// Damaged satisfies repair.Damaged.
func (r *routine) Damaged() []register.Damage { return r.replica.Damaged() }

// damages reports whether the replica knows the record that q is about as damaged.
func (n *node) damages(q *register.Request) bool {
	return slices.ContainsFunc(n.replica.Damaged(), func(d register.Damage) bool {
		return d.Partition == q.Partition && d.Key == q.Key
	})
}
