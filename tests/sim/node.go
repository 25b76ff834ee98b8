package sim

import (
	"errors"
	"strconv"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/register"
)

const (
	handoffBatch   = 4                // hints forwarded at once
	handoffTimeout = 40 * millisecond // after which a forward counts as lost
)

// node is a storage node: a production replica on a disk that loses what was not
// synced, and the driver of its handoff.
type node struct {
	sim   *sim
	id    int
	clock clock
	disk  *mem.Disk

	up          bool
	full        bool // the disk is: data may not grow
	exchanged   bool // the disk was, and not every peer knows the one it has now
	exchangedAt int64
	boots       uint64
	store       *mem.Manual
	replica     *replica.Replica
	syncing     bool // a sync is to come
	inbox       []arrival

	rounds  *proposer // of rewrites
	handing *handing  // the handoff under way

	older                                       []diskCopy
	told                                        replica.Life // the last that both peers have on record
	routines                                    map[*routine]bool
	greeting, rebuilding, collecting, comparing bool

	rotten  map[string][]byte // records whose stored value a flipped bit made this
	mending bool
}

// arrival is a request that was delivered and not yet served.
type arrival struct {
	request register.Request
	reply   func(register.Reply)
}

func newNode(s *sim, id int) *node {
	n := &node{sim: s, id: id, clock: s.newClock(), disk: mem.NewDisk(), routines: map[*routine]bool{}}
	n.start()
	return n
}

func (n *node) start() {
	n.copyDisk(replica.Life{})
	st, err := mem.OpenManual(n.disk)
	if err != nil {
		panic(err)
	}
	n.boots++
	n.store = st
	n.replica, err = replica.Open(replica.Config{
		NodeID: n.sim.name(n.id),
		Node:   n.id,
		Places: n.sim.places,
		Epoch:  n.boots << 32,
		Now:    n.clock.now,
	}, st)
	if err != nil {
		panic(err)
	}
	n.replica.SetReadOnly(n.full)
	n.up, n.syncing, n.handing = true, false, nil
	n.inbox = nil
	n.rounds = n.sim.newProposer(&n.clock)
	n.planSync()
	n.greeting, n.rebuilding, n.collecting, n.comparing, n.mending = false, false, false, false, false
	n.sim.tracef("n%d started, boot %d", n.id, n.boots)
	n.sim.after(1, n.hello)
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
	if !clean && n.sim.chance(10) {
		n.sim.tracef("n%d's disk fails", n.id)
		n.disk.Break(errDisk)
		n.store.Sync() // nothing of it may be answered
	}
	n.up = false
	n.endRoutines()
	n.inbox = nil
	if clean {
		n.sim.tracef("n%d stops in good order", n.id)
		n.replica.Seal(func(error) {})
		n.store.Sync()
		if err := n.store.Close(); err != nil {
			panic(err)
		}
		return
	}
	waiting := n.store.Waiting()
	kept := n.sim.rng.IntN(waiting + 1)
	n.sim.tracef("n%d crashes; %d of %d unsynced writes are kept", n.id, kept, waiting)
	n.store.SyncN(kept)
	n.disk.Crash()
}

func (n *node) setFull(full bool) {
	if n.full == full {
		return
	}
	n.sim.tracef("n%d's disk is full: %v", n.id, full)
	n.full = full
	if n.up {
		n.replica.SetReadOnly(full)
	}
}

// alive returns a check that the node still runs as it does now.
func (n *node) alive() func() bool {
	boots := n.boots
	return func() bool { return n.up && n.boots == boots }
}

// take puts a request in the inbox. What arrives close together is served at once.
func (n *node) take(q *register.Request, reply func(register.Reply)) {
	n.inbox = append(n.inbox, arrival{*q, reply})
	if len(n.inbox) > 1 {
		return
	}
	wait := int64(0)
	if n.sim.chance(30) {
		wait = n.sim.rng.Int64N(200)
	}
	if wait == 0 {
		n.serve()
		return
	}
	alive := n.alive()
	n.sim.after(wait, func() {
		if alive() {
			n.serve()
		}
	})
}

func (n *node) serve() {
	batch := n.inbox
	n.inbox = nil
	requests := make([]register.Request, len(batch))
	for i := range batch {
		requests[i] = batch[i].request
		if n.sim.profile.eager > 0 && requests[i].Kind == register.KindAccept && !n.sim.healed {
			n.sim.after(n.sim.spread(n.sim.profile.eager), n.handOff)
		}
	}
	boots := n.boots
	barred := n.note(requests)
	n.replica.Serve(requests, func(replies []register.Reply) {
		for i := range replies {
			if barred[i] != "" && replies[i].Verdict == register.VerdictYes {
				n.sim.oracle.violate("n%d %s: %s", n.id, barred[i], describe(&requests[i]))
			}
		}
		if replies == nil || !n.up || n.boots != boots {
			return // the power went before the reply left
		}
		for i := range replies {
			batch[i].reply(replies[i])
		}
	})
	n.planSync()
}

// note tells the oracle what is about to be served, and returns for each request
// what would be wrong if the node said yes to it.
func (n *node) note(requests []register.Request) []string {
	barred := make([]string, len(requests))
	for i := range requests {
		if requests[i].Kind == register.KindCollect {
			n.sim.oracle.collected[requests[i].Partition] = n.sim.now
		}
		barred[i] = n.barred(&requests[i])
	}
	return barred
}

// barred tells what would be wrong if the node said yes to q now.
func (n *node) barred(q *register.Request) string {
	switch {
	case q.Kind != register.KindRead && q.Kind != register.KindPrepare:
		return ""
	case !n.replica.Admitted() || n.replica.Joining(q.Partition):
		return "voted while it was not rebuilt"
	case n.full && q.Grows:
		return "promised room that it doesn't have"
	}
	return ""
}

// planSync makes what was written durable some time later.
func (n *node) planSync() {
	if n.syncing || n.store.Waiting() == 0 {
		return
	}
	n.syncing = true
	alive := n.alive()
	n.sim.after(n.sim.spread(n.sim.profile.sync), func() {
		if !alive() {
			return
		}
		n.syncing = false
		waiting := n.store.Waiting()
		if n.sim.chance(30) {
			waiting = 1 + n.sim.rng.IntN(waiting)
		}
		n.store.SyncN(waiting)
		n.planSync()
	})
}

// flood has the node promise ballots for many other keys, so that it must forget
// promises which may count.
func (n *node) flood() {
	if !n.up {
		return
	}
	partition := uint16(n.sim.rng.IntN(n.sim.profile.partitions))
	n.sim.tracef("n%d gets prepares for %d other keys of partition %d", n.id, register.MaxPromises, partition)
	p := n.sim.newProposer(&n.clock)
	requests := make([]register.Request, register.MaxPromises)
	for i := range requests {
		key := "flood-" + strconv.Itoa(i)
		requests[i] = register.Request{Kind: register.KindPrepare, Partition: partition, Key: key, Ballot: p.Next(), Disks: n.replica.Disks(partition)}
	}
	n.replica.Serve(requests, func([]register.Reply) {})
	n.planSync()
}

// handing is a batch of hints on its way to the data replicas.
type handing struct {
	*register.Handoff
	partition uint16
	disks     register.Incarnations
	answered  map[handed]bool
}

type handed struct {
	seat int
	tag  uint32
}

// handOff starts to deliver some of the node's hints, if it holds any.
func (n *node) handOff() {
	if !n.up || n.handing != nil {
		return
	}
	partition, hints := n.someHints()
	if len(hints) == 0 {
		return
	}
	disks := n.replica.Disks(partition)
	h := &handing{register.NewHandoff(partition, disks, hints), partition, disks, map[handed]bool{}}
	n.handing = h
	group := n.sim.places.Group(int(partition))
	alive := n.alive()
	take := func(to handed, r register.Reply) {
		if h.answered[to] || !alive() {
			return
		}
		h.answered[to] = true
		h.Reply(to.seat, to.tag, r)
		if h.Done() {
			n.sim.after(n.sim.spread(100), func() {
				if alive() {
					n.handedOff(h)
				}
			})
		}
	}
	sends := h.Start()
	for _, send := range sends {
		to := handed{send.Seat, send.Tag}
		n.sim.send(n.id, group[send.Seat], send.Request, func(r register.Reply) { take(to, r) })
	}
	n.sim.after(handoffTimeout, func() {
		for _, send := range sends {
			take(handed{send.Seat, send.Tag}, register.Reply{Verdict: register.VerdictLost})
		}
	})
}

// someHints returns hints of one of the partitions that the node is witness of.
func (n *node) someHints() (uint16, []register.Hint) {
	count := n.sim.profile.partitions
	first := n.sim.rng.IntN(count)
	for i := range count {
		p := (first + i) % count
		if n.sim.places.Seat(p, n.id) != register.SeatW {
			continue
		}
		hints, err := n.replica.Hints(uint16(p), "", handoffBatch)
		if err != nil {
			panic(err)
		}
		if len(hints) > 0 {
			return uint16(p), hints
		}
	}
	return 0, nil
}

func (n *node) countHints() int {
	_, hints := n.someHints()
	return len(hints)
}

// handedOff forgets what arrived, and rewrites what a floor or a promise keeps out.
func (n *node) handedOff(h *handing) {
	n.handing = nil
	delivered := h.Delivered()
	if n.sim.out != nil {
		for _, hint := range delivered {
			n.sim.tracef("n%d may forget %s %s", n.id, hint.Key, describeRecord(hint.Record))
		}
	}
	n.replica.Forget(h.partition, h.disks, delivered, func(forgotten int, err error) {
		if n.sim.out != nil {
			n.sim.tracef("n%d forgot %d of %d hints, durably", n.id, forgotten, len(delivered))
		}
	})
	n.planSync()
	hints, seats := h.Refused()
	for i, hint := range hints {
		n.rounds.Observe(hint.Record.Ballot)
		order := [register.Seats]int{seats[i], register.SeatW, register.SeatD1 + register.SeatD2 - seats[i]}
		n.sim.launch(&operation{
			kind:     opRewrite,
			key:      n.sim.keyIndex(hint.Key),
			order:    order,
			from:     n.id,
			proposer: n.rounds,
			alive:    n.alive(),
		})
	}
}
