package register

// Limits of an acceptor, in entries and microseconds.
const (
	// MaxPromises bounds the promises kept for open rounds of one partition.
	MaxPromises = 1024
	// MaxChosen bounds the chosen marks kept for one partition; losing one costs a repair.
	MaxChosen = 1024
	// HorizonStep is how far ahead of the local clock promises are reserved
	// durably, and HorizonSlack how far ahead of the ballot at least.
	HorizonStep  = 3_000_000
	HorizonSlack = 50_000
	// MaxAhead is how far a prepared ballot may lead both the clock and the floor.
	MaxAhead = 60_000_000
)

// Durable is the part of an acceptor's state that must survive a crash, apart
// from the records.
type Durable struct {
	Floor   Ballot // nothing at or below it is promised or accepted, for any key
	Horizon int64  // no promise was given, and nothing accepted, at this time or later
}

// Effects is what a step asks of the disk. Everything named must be synced
// before the reply leaves.
type Effects struct {
	Put   bool // store Request.Record
	Drop  bool // remove the record; every other Drop or Forget before Forgot is one batch with it
	State bool // store Durable()
}

// Acceptor is one member of one partition's group. It is not safe for
// concurrent use. Its records are on disk; the caller hands in the one a
// request is about.
type Acceptor struct {
	durable Durable
	seat    int
	// group is the newest group known: what was sent under older disks is
	// refused; while the own one is joining the acceptor must not vote; while
	// any is, it forgets nothing.
	group Group
	epoch uint64 // changes whenever a record is forgotten
	// promised holds promises that the record on disk does not imply. Every
	// promise ever given is in here, implied by the record, or not above floor.
	promised bounded
	// chosen holds ballots known to be accepted by a quorum.
	chosen bounded
	top    Ballot // highest ballot ever promised or accepted; top.Time < durable.Horizon
}

// NewAcceptor starts the acceptor in a seat from what was durable. epoch must
// differ from that of every earlier start. The floor takes in all that the last run may
// have promised and forgotten, so no promise is ever broken by a crash.
func NewAcceptor(seat int, d Durable, group Group, epoch uint64) *Acceptor {
	d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})
	return &Acceptor{
		durable:  d,
		seat:     seat,
		group:    group,
		epoch:    epoch,
		promised: newBounded(MaxPromises),
		chosen:   newBounded(MaxChosen),
	}
}

// Durable returns what must be on disk for the replies given so far.
func (a *Acceptor) Durable() Durable { return a.durable }

// Seal returns the state to leave on disk when nothing will be answered any
// more: a tight horizon, so that the next start need not refuse the near future.
func (a *Acceptor) Seal() Durable {
	d := a.durable
	d.Horizon = max(a.top.Time, d.Floor.Time) + 1
	return d
}

// Step answers q. held is the record on disk for q.Key, and now the local clock
// in microseconds. The caller must apply the effects in order with other steps
// of the key, and let the reply out only when they are synced.
func (a *Acceptor) Step(now int64, q Request, held Record) (Reply, Effects) {
	if q.Kind == KindChosen {
		if !held.Blank() && held.Ballot == q.Ballot {
			a.chosen.put(q.Key, q.Ballot)
		}
		return Reply{Verdict: VerdictYes}, Effects{}
	}
	if q.Disks.olderThan(a.group.Disks) {
		return Reply{Verdict: VerdictStale, Disks: a.group.Disks}, Effects{}
	}
	if q.Kind == KindAccept {
		return a.accept(now, q, held)
	}
	if a.Joining() {
		return Reply{Verdict: VerdictUnable}, Effects{}
	}
	switch q.Kind {
	case KindRead:
		return a.answer(q.Key, held), Effects{}
	case KindPrepare:
		return a.prepare(now, q, held)
	case KindBar:
		return a.raiseBar(q, held)
	case KindCollect:
		return a.collect(q, held)
	case KindAccept, KindChosen:
	}
	return Reply{Verdict: VerdictUnable}, Effects{}
}

func (a *Acceptor) answer(key string, held Record) Reply {
	r := Reply{Verdict: VerdictYes, Record: held, Epoch: a.epoch}
	if !held.Blank() {
		mark, ok := a.chosen.get(key)
		r.Chosen = ok && mark == held.Ballot
	}
	return r
}

// bar is the highest ballot that is promised for key.
func (a *Acceptor) bar(key string) Ballot {
	b, _ := a.promised.get(key)
	return Max(b, a.durable.Floor)
}

func (a *Acceptor) prepare(now int64, q Request, held Record) (Reply, Effects) {
	highest := Max(a.bar(q.Key), held.Ballot)
	// A proposer whose clock runs far ahead would drag every other one along.
	if q.Ballot.Time > max(now, a.durable.Floor.Time)+MaxAhead {
		return Reply{Verdict: VerdictUnable}, Effects{}
	}
	if !highest.Less(q.Ballot) {
		return Reply{Verdict: VerdictRefused, Highest: highest}, Effects{}
	}
	a.promise(q.Key, q.Ballot)
	return a.answer(q.Key, held), Effects{State: a.reserve(now, q.Ballot)}
}

func (a *Acceptor) accept(now int64, q Request, held Record) (Reply, Effects) {
	b := q.Record.Ballot
	if held.Ballot == b {
		return Reply{Verdict: VerdictYes}, Effects{}
	}
	bar, _ := a.promised.get(q.Key)
	if b.Less(bar) || !a.durable.Floor.Less(b) || !held.Ballot.Less(b) {
		return a.refuse(q.Key, held), Effects{}
	}
	a.promised.drop(q.Key) // the record implies the promise from here on
	return Reply{Verdict: VerdictYes}, Effects{Put: true, State: a.reserve(now, b)}
}

func (a *Acceptor) refuse(key string, held Record) Reply {
	return Reply{
		Verdict: VerdictRefused,
		Highest: Max(a.bar(key), held.Ballot),
		Held:    held.Ballot,
		Floor:   a.durable.Floor,
	}
}

// raiseBar makes the witness of a deleted key refuse whatever is older than the
// tombstone, for good: only so is there proof that no copy of it is under way.
func (a *Acceptor) raiseBar(q Request, held Record) (Reply, Effects) {
	if a.seat != SeatW || !held.Blank() || a.group.AnyJoining() {
		return a.refuse(q.Key, held), Effects{}
	}
	return Reply{Verdict: VerdictYes}, Effects{State: a.raiseFloor(q.Ballot)}
}

// collect drops a tombstone that both data replicas held while the witness held
// nothing and was barred. Without the floor a late accept brings the user back.
func (a *Acceptor) collect(q Request, held Record) (Reply, Effects) {
	if a.seat == SeatW || held.Ballot != q.Ballot || !held.Tombstone || a.group.AnyJoining() {
		return a.refuse(q.Key, held), Effects{}
	}
	a.chosen.drop(q.Key)
	return Reply{Verdict: VerdictYes}, Effects{Drop: true, State: a.raiseFloor(q.Ballot)}
}

// raiseFloor raises the floor to b; true asks for a sync.
func (a *Acceptor) raiseFloor(b Ballot) bool {
	if !a.durable.Floor.Less(b) {
		return false
	}
	a.durable.Floor = b
	return true
}

// promise remembers b for key. Evicting another key's promise raises the floor
// to it; the horizon, above both, keeps that true across a crash.
func (a *Acceptor) promise(key string, b Ballot) {
	if _, evicted := a.promised.put(key, b); !evicted.IsZero() {
		a.durable.Floor = Max(a.durable.Floor, evicted)
	}
}

// reserve makes sure that the horizon is above b; true asks for a sync. It steps
// from the local clock: a restart raises the floor to the horizon and so the
// next ballots above it, and with steps from those a node that crashes again and
// again would drive all ballots out of the others' reach.
func (a *Acceptor) reserve(now int64, b Ballot) bool {
	a.top = Max(a.top, b)
	if b.Time < a.durable.Horizon {
		return false
	}
	a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)
	return true
}

// Forget decides whether the hint for key, handed off as ballot b to the given
// disks, may be dropped: only if held is still that very record and the group is
// still that one, all rebuilt. When it says yes, the caller
// must remove it from disk before the next step of this key. The key's promise
// outlives the record. Call Forgot once after each batch.
func (a *Acceptor) Forget(key string, b Ballot, disks Incarnations, held Record) bool {
	if held.Blank() || held.Ballot != b || a.group.Disks != disks || a.group.AnyJoining() {
		return false
	}
	a.chosen.drop(key)
	if a.bar(key).Less(b) {
		a.promise(key, b)
	}
	return true
}

// Forgot changes the epoch, so that whoever sees a blank knows that a record
// may have been handed off. It must be called before any reply that follows the
// first Forget of the batch.
func (a *Acceptor) Forgot() { a.epoch++ }

// Join keeps an acceptor whose disk was lost from everything at or below floor,
// which is what the others answered to the fence.
func (a *Acceptor) Join(floor Ballot) { a.durable.Floor = Max(a.durable.Floor, floor) }

// Joining reports whether the acceptor may not vote.
func (a *Acceptor) Joining() bool { return a.group.Joining[a.seat] }

// Group returns the group as the acceptor knows it.
func (a *Acceptor) Group() Group { return a.group }

// Fence records a newer disk of a seat, which is joining, and returns a ballot
// that is not below anything this acceptor promised, accepted, holds or has as
// floor. The caller makes the group durable before it tells anyone.
func (a *Acceptor) Fence(seat int, incarnation uint32) Ballot {
	if a.group.Disks[seat] < incarnation {
		a.group.Disks[seat] = incarnation
		a.group.Joining[seat] = true
	}
	return Max(a.durable.Floor, a.top)
}

// Rebuilt records that the disk of a seat holds all that the group may count on.
func (a *Acceptor) Rebuilt(seat int, incarnation uint32) {
	if a.group.Disks[seat] == incarnation {
		a.group.Joining[seat] = false
	}
}

// Copy decides whether a joining data replica stores rec, which another acceptor
// holds, in place of held. Its own floor does not bar copies.
func (a *Acceptor) Copy(now int64, rec, held Record) Effects {
	if !a.Joining() || !held.Ballot.Less(rec.Ballot) {
		return Effects{}
	}
	return Effects{Put: true, State: a.reserve(now, rec.Ballot)}
}
