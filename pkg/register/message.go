package register

// Kind is what a request asks of an acceptor.
type Kind uint8

// The messages of the protocol.
const (
	KindRead    Kind = iota + 1 // the record, with chosen and epoch
	KindPrepare                 // promise Ballot; the record, with chosen and epoch
	KindAccept                  // store Record at its ballot
	KindChosen                  // Record at Ballot was accepted by a quorum; wants no reply
	KindBar                     // witness: hold nothing for Key, and raise the floor to Ballot
	KindCollect                 // data replica: drop the tombstone at Ballot, and raise the floor to it
)

// String names the kind as metrics and traces print it.
func (k Kind) String() string {
	switch k {
	case KindRead:
		return "read"
	case KindPrepare:
		return "prepare"
	case KindAccept:
		return "accept"
	case KindChosen:
		return "chosen"
	case KindBar:
		return "bar"
	case KindCollect:
		return "collect"
	}
	return "invalid"
}

// Incarnations are the disks of a group, by seat. A node whose disk was lost
// takes a higher number, which the other two record before it may vote again.
type Incarnations [Seats]uint32

// olderThan reports whether o knows a newer disk of any seat.
func (i Incarnations) olderThan(o Incarnations) bool {
	for s := range Seats {
		if i[s] < o[s] {
			return true
		}
	}
	return false
}

// Newest returns the higher number of each seat.
func (i Incarnations) Newest(o Incarnations) Incarnations {
	for s := range Seats {
		i[s] = max(i[s], o[s])
	}
	return i
}

// Group is what an acceptor knows of its group's disks, its own included. It is
// durable before the acceptor answers for it.
type Group struct {
	Disks   Incarnations
	Joining [Seats]bool // lost, and not known to be rebuilt
}

// AnyJoining reports whether some disk of the group is not yet rebuilt.
func (g Group) AnyJoining() bool { return g.Joining != [Seats]bool{} }

// Request is one message to one acceptor of a partition's group.
type Request struct {
	Kind      Kind
	Partition uint16
	Key       string
	Ballot    Ballot       // prepare, chosen, bar, collect
	Record    Record       // accept
	Disks     Incarnations // all but chosen: the group as the sender knew it when its round began
	// Grows marks a prepare or an accept that asks for room and that can go
	// elsewhere or wait. An acceptor whose disk is full refuses it.
	Grows bool
}

// NeedsRoom reports whether an acceptor that holds held for the key must have
// room to take q. What a promise was given for, or an answer waits for, never
// does: it is for such that room is kept in reserve.
func (q *Request) NeedsRoom(held Record) bool {
	return q.Grows && (q.Kind == KindPrepare || held.Ballot.Less(q.Record.Ballot))
}

// Verdict is how an acceptor, or the way to it, answered.
type Verdict uint8

const (
	// VerdictYes: read, promised or accepted.
	VerdictYes Verdict = iota + 1
	// VerdictRefused: a higher ballot, or the floor, forbids it; Highest tells which.
	VerdictRefused
	// VerdictUnable: the acceptor can't take part now and did nothing.
	VerdictUnable
	// VerdictStale: the acceptor did nothing, since it knows a newer disk of the
	// group than the sender did; Disks tells which.
	VerdictStale
	// VerdictFull: the acceptor did nothing, since q.NeedsRoom and its disk is full.
	VerdictFull
	// VerdictLost: no answer; the request may have been taken, or may be yet.
	VerdictLost
	// VerdictUnsent: the request never left this process.
	VerdictUnsent
)

// String names the verdict as traces print it.
func (v Verdict) String() string {
	switch v {
	case VerdictYes:
		return "yes"
	case VerdictRefused:
		return "refused"
	case VerdictUnable:
		return "unable"
	case VerdictStale:
		return "stale"
	case VerdictFull:
		return "full"
	case VerdictLost:
		return "lost"
	case VerdictUnsent:
		return "unsent"
	}
	return "invalid"
}

// Reply is an acceptor's answer to one request.
type Reply struct {
	Verdict Verdict
	Record  Record       // read, prepare: what it holds
	Chosen  bool         // read, prepare: it knows that Record was accepted by a quorum
	Epoch   uint64       // read, prepare: changes whenever a record is forgotten, and at every start
	Highest Ballot       // refused: the highest ballot known for the key
	Held    Ballot       // refused: the ballot of the record it holds
	Floor   Ballot       // refused: nothing at or below it is accepted any more
	Disks   Incarnations // stale: the group as the acceptor knows it
	Sole    bool         // the request left once: this reply says all that ever comes of it; set by the way to the acceptor
}

// provesNotApplied reports whether this answer to an accept shows that this
// acceptor never took it and never will. A refusal proves nothing as long as
// another copy may have been taken before, whatever is held now: a witness may
// have handed it off and forgotten it. There is no other copy where the message
// left once: one of another's sending, by read repair or handoff, starts at an
// acceptor that took it, and when all that were asked prove that they did not,
// there is no such acceptor.
func (r Reply) provesNotApplied() bool {
	switch r.Verdict {
	case VerdictUnsent:
		return true
	case VerdictRefused, VerdictUnable, VerdictStale, VerdictFull:
		return r.Sole
	case VerdictYes, VerdictLost:
	}
	return false
}
