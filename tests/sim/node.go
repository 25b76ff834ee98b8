package sim

import (
	"errors"
	"strconv"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/register"
)

// node is a storage node: a production replica on a disk that loses what was not
// synced, and the driver of its handoff.
type node struct {
	sim   *sim
	id    int
	clock clock
	disk  *mem.Disk

	up          bool
	clean       bool // it went down in good order
	failing     bool // its disk fails, and it is about to go down
	full        bool // the disk is: data may not grow
	exchanged   bool // the disk was, and not every peer knows the one it has now
	exchangedAt int64
	replaced    bool   // its disk was exchanged at some time
	lostAs      uint32 // incarnation of a disk that is lost for good: the node may not vote as that any more
	boots       uint64
	votedIn     uint64 // the last boot in which it was admitted
	vows        vows
	store       *mem.Manual
	replica     *replica.Replica
	syncing     bool // a sync is to come
	inbox       []arrival

	rounds    *proposer // of rewrites
	handing   *handing  // the handoff under way
	rewriting int       // hints that the last one found to be kept out, and that are being rewritten

	older                                       []diskCopy
	told                                        replica.Life // the last that both peers have on record
	routines                                    map[*routine]bool
	greeting, rebuilding, collecting, comparing bool

	rotten  map[string][]byte // keys of the store whose value a flipped bit made this
	mending bool
}

// arrival is a request that was delivered and not yet served.
type arrival struct {
	request register.Request
	reply   func(register.Reply)
}

func newNode(s *sim, id int) *node {
	n := &node{sim: s, id: id, clock: s.newClock(), disk: mem.NewDisk(), vows: newVows(), routines: map[*routine]bool{}}
	n.start()
	return n
}

func (n *node) start() {
	n.wentUp()
	before := n.disk.Clone()
	err := n.open()
	if errors.Is(err, store.ErrDamaged) {
		n.spoiled()
		before = n.disk.Clone()
		err = n.open()
	}
	if err != nil {
		panic(err)
	}
	life := n.replica.Life()
	n.keep(diskCopy{disk: before, life: life, boot: n.boots, next: life.Starts[life.Boots%uint64(len(life.Starts))] == n.boots<<32})
	n.replica.SetReadOnly(n.full)
	n.up, n.syncing, n.handing, n.rewriting = true, false, nil, 0
	n.inbox = nil
	n.rounds = n.sim.newProposer(&n.clock)
	n.planSync()
	n.greeting, n.rebuilding, n.collecting, n.comparing, n.mending = false, false, false, false, false
	n.sim.tracef("n%d started, boot %d", n.id, n.boots)
	n.sim.after(1, n.hello)
	n.sim.after(n.sim.spread(200), n.handOff)
	n.maybeRelapse()
}

// open starts the replica on the node's disk.
func (n *node) open() error {
	st, err := mem.OpenManual(n.disk)
	if err != nil {
		return err
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
	return err
}

// wentUp ends what the node went down by.
func (n *node) wentUp() {
	switch {
	case n.boots == 0:
	case n.clean:
		n.sim.watch.end(faultStop)
	default:
		n.sim.watch.end(faultCrash)
	}
}

func (n *node) setFull(full bool) {
	if n.full == full {
		return
	}
	n.sim.tracef("n%d's disk is full: %v", n.id, full)
	n.full = full
	if full {
		n.sim.watch.begin(faultFull)
	} else {
		n.sim.watch.end(faultFull)
	}
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
	noted := n.note(requests)
	n.replica.Serve(requests, func(replies []register.Reply) {
		n.served(requests, replies)
		if replies == nil || !n.up || n.boots != boots {
			return // the power went before the reply left
		}
		n.tell(requests, replies, noted)
		for i := range replies {
			batch[i].reply(replies[i])
		}
	})
	n.planSync()
}

// served takes down what was answered, or would have been.
func (n *node) served(requests []register.Request, replies []register.Reply) {
	w := &n.sim.watch
	if replies == nil && n.failing {
		w.branch(branchFailedDiskSilent)
	}
	for i := range replies {
		q, r := &requests[i], &replies[i]
		if n.sim.out != nil {
			n.sim.tracef("n%d answers %s: %s", n.id, describe(q), describeReply(r))
		}
		yes := r.Verdict == register.VerdictYes
		again := yes && q.Kind == register.KindAccept && n.sim.oracle.holds(n.id, q.Record.Ballot)
		if b, ok := branchOf(n, q, r, again); ok {
			w.branch(b)
		}
		n.sim.oracle.holds(n.id, register.Max(r.Record.Ballot, r.Held)) // a crash may have kept what it never answered
		switch {
		case !yes:
		case q.Kind == register.KindPrepare:
			n.reached(momentPromised)
		case q.Kind == register.KindAccept && !again:
			n.reached(momentAccepted)
			if n.replica.Joining(q.Partition) {
				n.reached(momentTook)
			}
		case q.Kind == register.KindCollect || q.Kind == register.KindBar:
			n.reached(momentCollected)
		}
	}
}

// noted is what stands when a request is taken up.
type noted struct {
	barred string // what would be wrong if the node said yes to it
	vow    vow
}

// note tells the oracle what is about to be served.
func (n *node) note(requests []register.Request) []noted {
	for i := range requests {
		if q := &requests[i]; q.Kind == register.KindCollect {
			n.sim.oracle.collected[q.Partition] = n.sim.now
			n.vows.free(q.Key, q.Ballot)
		}
	}
	out := make([]noted, len(requests))
	for i := range requests {
		out[i] = noted{n.barred(&requests[i]), n.vows.byKey[requests[i].Key]}
	}
	return out
}

// barred tells what would be wrong if the node said yes to q now.
func (n *node) barred(q *register.Request) string {
	disks := n.replica.Disks(q.Partition)
	switch {
	case q.Kind == register.KindChosen:
		return ""
	case q.Disks.Newest(disks) != q.Disks:
		return "took what was sent before a disk was lost"
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
	n.sim.floods++
	n.sim.watch.fault(faultFlood)
	n.sim.tracef("n%d gets prepares for %d other keys of partition %d", n.id, register.MaxPromises, partition)
	p := n.sim.newProposer(&n.clock)
	requests := make([]register.Request, register.MaxPromises)
	for i := range requests {
		key := "flood-" + strconv.Itoa(i)
		requests[i] = register.Request{Kind: register.KindPrepare, Partition: partition, Key: key, Ballot: p.Next(), Disks: n.replica.Disks(partition)}
	}
	n.replica.Serve(requests, func([]register.Reply) {})
	n.probe()
}
