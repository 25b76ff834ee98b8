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
	State bool // store Durable()
}

// Acceptor is one member of one partition's group. It is not safe for
// concurrent use. Its records are on disk; the caller hands in the one a
// request is about.
type Acceptor struct {
	durable Durable
	epoch   uint64 // changes whenever a record is forgotten
	// promised holds promises that the record on disk does not imply. Every
	// promise ever given is in here, implied by the record, or not above floor.
	promised bounded
	// chosen holds ballots known to be accepted by a quorum.
	chosen bounded
	top    Ballot // highest ballot ever promised or accepted; top.Time < durable.Horizon
}

// NewAcceptor starts an acceptor from what was durable. epoch must differ from
// that of every earlier start. The floor takes in all that the last run may
// have promised and forgotten, so no promise is ever broken by a crash.
func NewAcceptor(d Durable, epoch uint64) *Acceptor {
	d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})
	return &Acceptor{
		durable:  d,
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
	switch q.Kind {
	case KindRead:
		return a.answer(q.Key, held), Effects{}
	case KindPrepare:
		return a.prepare(now, q, held)
	case KindAccept:
		return a.accept(now, q, held)
	case KindChosen:
		if !held.Blank() && held.Ballot == q.Ballot {
			a.chosen.put(q.Key, q.Ballot)
		}
		return Reply{Verdict: VerdictYes}, Effects{}
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
		return Reply{
			Verdict: VerdictRefused,
			Highest: Max(a.bar(q.Key), held.Ballot),
			Held:    held.Ballot,
			Floor:   a.durable.Floor,
		}, Effects{}
	}
	a.promised.drop(q.Key) // the record implies the promise from here on
	return Reply{Verdict: VerdictYes}, Effects{Put: true, State: a.reserve(now, b)}
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

// Forget decides whether the hint for key, handed off as ballot b, may be
// dropped: only if held is still that very record. When it says yes, the caller
// must remove it from disk before the next step of this key. The key's promise
// outlives the record. Call Forgot once after each batch.
func (a *Acceptor) Forget(key string, b Ballot, held Record) bool {
	if held.Blank() || held.Ballot != b {
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
