package replica

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Life is which disk a node runs on, how often that was started, and how far it
// has come. A node that shows an older life than its peers saw has lost its
// disk, or was given an old copy of it.
//
// Invariant: each change of a life raises its incarnation, or else its boots or
// its beat; only a disk that a peer has recognized raises its beat.
type Life struct {
	Incarnation uint32 `json:"incarnation"` // of the disk; 0 while it is blank
	Boots       uint64 `json:"boots"`       // of this incarnation, by starts that a peer recognized, and the present one
	Beat        uint64 `json:"beat"`        // raised when shown, if anything was written since it was shown before
	Starts      Starts `json:"starts"`      // of this incarnation, the latest ones
	Recognized  bool   `json:"recognized"`  // a peer has recorded the present start, and found it to follow from what it knew
	Joining     bool   `json:"joining"`     // not yet rebuilt: it must not vote
}

// Starts are numbers drawn anew at each start of a disk: start n at n modulo
// their count. By the count of starts alone, an old copy of a disk would look
// like the disk once it was started often enough.
type Starts = [16]uint64

// next returns the life of the disk when it is started once more. While no peer
// recognizes it, it stays the same start, however often it is made: an old copy
// must not forget the start at which it parted from the disk. A copy made
// meanwhile is told by the beat, which is raised when a peer does.
func (l Life) next(number uint64) Life {
	if l.Boots > 0 && !l.Recognized {
		return l
	}
	l.Recognized = false
	l.Boots++ // and not the beat: an old copy that is started often must not catch up
	l.Starts[l.Boots%uint64(len(l.Starts))] = number
	return l
}

// OlderThan reports whether o is a later disk, or has come further.
func (l Life) OlderThan(o Life) bool {
	return l.Incarnation < o.Incarnation || l.Incarnation == o.Incarnation && (l.Boots < o.Boots || l.Beat < o.Beat)
}

// Contradicts reports whether o, no later a start of the same disk, is not among
// the starts that led to l: one of the two is from a copy made before the other.
// It can't be told of starts that are too long ago, at which the peer was away.
func (l Life) Contradicts(o Life) bool {
	n := uint64(len(l.Starts))
	return l.Incarnation == o.Incarnation && o.Boots <= l.Boots && l.Boots-o.Boots < n &&
		l.Starts[o.Boots%n] != o.Starts[o.Boots%n]
}

// Identity says whose store this is, and what it knows of the cluster's disks.
type Identity struct {
	NodeID     string                `json:"node_id"`
	Partitions int                   `json:"partitions"`
	Lives      [placement.Nodes]Life `json:"lives"` // by node; the own one included
}

// group is what is known of a partition's group.
func (i Identity) group(places placement.Map, partition int) register.Group {
	var g register.Group
	for seat, node := range places.Group(partition) {
		g.Disks[seat] = i.Lives[node].Incarnation
		g.Joining[seat] = i.Lives[node].Joining
	}
	return g
}

// identify reads whose store this is, or claims a blank one for this node, and
// counts the start of one that is not blank.
func (r *Replica) identify() error {
	key := metaKey()
	value, err := r.store.Get(key)
	if err != nil {
		return fmt.Errorf("read the identity: %w", err)
	}
	id := Identity{NodeID: r.cfg.NodeID, Partitions: r.cfg.Places.Partitions()}
	if value != nil {
		plain, err := unseal(key, value)
		if err != nil {
			return fmt.Errorf("read the identity: %w", damagedState(err))
		}
		if err := json.Unmarshal(plain, &id); err != nil {
			return fmt.Errorf("read the identity: %w", err)
		}
	}
	if id.NodeID != r.cfg.NodeID {
		return fmt.Errorf("the data belongs to node %q, not %q: start that node here, or give this one a directory of its own", id.NodeID, r.cfg.NodeID)
	}
	if id.Partitions != r.cfg.Places.Partitions() {
		return fmt.Errorf("the data was made with %d partitions, not %d: the number is fixed when a cluster is made", id.Partitions, r.cfg.Places.Partitions())
	}
	if own := &id.Lives[r.cfg.Node]; own.Incarnation > 0 {
		*own = own.next(r.cfg.Epoch)
	}
	r.identity = id
	return nil
}

// identityOp is the write that makes the identity durable. r.identityMu is held.
func (r *Replica) identityOp() store.Op {
	plain, err := json.Marshal(r.identity)
	if err != nil {
		panic(fmt.Sprintf("replica: an identity always encodes: %v", err))
	}
	key := metaKey()
	return store.Op{Key: key, Value: seal(key, plain)}
}

// Identity returns whose store this is, and what it knows of the disks.
func (r *Replica) Identity() Identity {
	r.identityMu.Lock()
	defer r.identityMu.Unlock()
	return r.identity
}

// Life returns the own life.
func (r *Replica) Life() Life { return r.Identity().Lives[r.cfg.Node] }

// Show calls done with the own life once that is durable. A life that a crash
// may yet take back must not be shown to anyone: the next start would look like
// an older disk. It tells of all that was written before by a higher beat: a
// copy of the disk that lacks any of that is known as old when it is started.
// Before the node is admitted it may be such a copy, and must not catch up.
func (r *Replica) Show(done func(Life, error)) {
	r.identityMu.Lock()
	defer r.identityMu.Unlock()
	own := &r.identity.Lives[r.cfg.Node]
	var ops []store.Op
	if r.admitted.Load() && r.changed.Swap(false) {
		own.Beat++
		ops = append(ops, r.identityOp())
	}
	shown := *own
	r.store.Write(ops, func(err error) { done(shown, err) })
}

// write hands writes to the store, all but those of the identity: the next beat
// tells of them.
func (r *Replica) write(ops []store.Op, done func(error)) {
	r.store.Write(ops, done)
	if len(ops) > 0 {
		r.changed.Store(true) // not before the store has them, else a beat may overtake them
	}
}

// Heard is what a replica answers to the life that a peer shows.
type Heard struct {
	Own    Life              // of the answering node
	Before Life              // of the peer, as known before
	Fences []register.Ballot // by partition, if a new life of the peer was taken in, or it is joining
}

// Hear takes in the life that a peer shows, unless a later one is known, and
// calls done when that is durable, and all that the answer says. A fence is a
// ballot not below anything that this node ever promised, accepted or holds in
// the partition. From then on nothing counts that was sent to, or answered for,
// an older disk of that peer.
func (r *Replica) Hear(node int, life Life, done func(Heard, error)) {
	r.identityMu.Lock()
	defer r.identityMu.Unlock()
	heard := Heard{Own: r.identity.Lives[r.cfg.Node], Before: r.identity.Lives[node]}
	var ops []store.Op
	if known := heard.Before; node != r.cfg.Node && !life.OlderThan(known) && !life.Contradicts(known) {
		if life.Joining || life.Joining != known.Joining || life.Incarnation != known.Incarnation {
			heard.Fences = r.meet(node, life)
		}
		if life != known {
			r.identity.Lives[node] = life
			ops = append(ops, r.identityOp())
		}
	}
	r.store.Write(ops, func(err error) { done(heard, err) })
}

// meet tells every acceptor of a peer's disk and returns their fences.
func (r *Replica) meet(node int, life Life) []register.Ballot {
	fences := make([]register.Ballot, len(r.parts))
	for i, p := range r.parts {
		seat := r.cfg.Places.Seat(i, node)
		p.mu.Lock()
		fences[i] = p.acc.Fence(seat, life.Incarnation)
		if !life.Joining {
			p.acc.Rebuilt(seat, life.Incarnation)
		}
		p.mu.Unlock()
	}
	return fences
}

// Form makes the node one of a brand-new cluster, whose first disk this is. done
// is called when that is durable.
func (r *Replica) Form(done func(error)) {
	r.live(func(Life) Life { return Life{Incarnation: 1}.next(r.cfg.Epoch) }, nil, done)
}

// Rejoin makes the node one whose earlier disk was lost: it holds nothing, and
// must not vote before it is rebuilt. incarnation is higher than any that a peer
// has heard of. done is called when that is durable; the fences of the peers
// are to follow with Raise.
func (r *Replica) Rejoin(incarnation uint32, done func(error)) {
	r.live(func(Life) Life { return Life{Incarnation: incarnation, Joining: true}.next(r.cfg.Epoch) }, nil, done)
}

// Recognize says that a peer has recorded the present start. done is called when
// that is durable; it is to be shown before the node votes.
func (r *Replica) Recognize(done func(error)) {
	r.live(func(l Life) Life { l.Recognized = true; return l }, nil, done)
}

// Raise takes the fences that both peers answered, by partition, as floors.
func (r *Replica) Raise(fences []register.Ballot, done func(error)) {
	if len(fences) != len(r.parts) {
		done(errors.New("replica: a fence for each partition is needed"))
		return
	}
	r.live(func(l Life) Life { return l }, fences, done)
}

// live changes the own life, and raises floors if there are any.
func (r *Replica) live(change func(Life) Life, floors []register.Ballot, done func(error)) {
	r.identityMu.Lock()
	defer r.identityMu.Unlock()
	life := change(r.identity.Lives[r.cfg.Node])
	life.Beat++
	r.identity.Lives[r.cfg.Node] = life
	r.meet(r.cfg.Node, life)
	ops := []store.Op{r.identityOp()}
	for i, floor := range floors {
		p := r.parts[i]
		p.mu.Lock()
		p.acc.Join(floor)
		ops = append(ops, p.stateOp())
		p.mu.Unlock()
	}
	r.store.Write(ops, func(err error) {
		for i := range floors {
			r.landed(r.parts[i], "", false, true, err)
		}
		done(err)
	})
}

// Admit lets the acceptors answer: the peers know this life, and no later one.
func (r *Replica) Admit() { r.admitted.Store(true) }

// Admitted reports whether Admit was called.
func (r *Replica) Admitted() bool { return r.admitted.Load() }

// Leave says whether the node is about to give up its disk. It answers as before
// meanwhile, but its peers must not count on it.
func (r *Replica) Leave(leaving bool) { r.leaving.Store(leaving) }

// Votes reports whether the peers may count on this node, unless it is joining.
func (r *Replica) Votes() bool { return r.admitted.Load() && !r.leaving.Load() }

// PartitionRebuilt lets one acceptor of a joining node vote.
func (r *Replica) PartitionRebuilt(partition uint16) {
	incarnation := r.Life().Incarnation
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acc.Rebuilt(p.seat, incarnation)
}

// Rebuilt ends the joining of the node: every partition is rebuilt.
func (r *Replica) Rebuilt(done func(error)) {
	r.live(func(l Life) Life { l.Joining = false; return l }, nil, done)
}
