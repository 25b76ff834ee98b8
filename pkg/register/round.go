package register

// Seats of a partition's group. Any two of the three are a quorum.
const (
	SeatD1 = iota // first data replica
	SeatD2        // second data replica
	SeatW         // witness
	Seats
)

// Bounds of one operation.
const (
	maxAttempts = 64 // fresh starts, whatever the reason
	maxNoQuorum = 4  // fresh starts because fewer than two acceptors answered
	maxRereads  = 4  // second looks at an acceptor because records moved meanwhile
	lostHedges  = 4  // hedge ticks after which an answer is no longer waited for
)

// Proposer gives ballots; a Clock with its time filled in.
type Proposer interface {
	// Next returns a ballot that no proposer used before.
	Next() Ballot
	// Observe moves later ballots past b.
	Observe(b Ballot)
}

// Knowledge is what a coordinator knows of the acceptors of one group.
type Knowledge interface {
	// Known returns the newest epoch seen of each seat, 0 when none was, and the
	// newest disks heard of.
	Known() ([Seats]uint64, Incarnations)
	// LearnEpoch takes in the epoch that a reply carried.
	LearnEpoch(seat int, epoch uint64)
	// LearnDisks takes in the disks that a reply told of.
	LearnDisks(disks Incarnations)
}

// Spec says what a Round is to do.
type Spec struct {
	Partition uint16
	Key       string
	Change    Change     // nil reads
	Rewrite   bool       // with a nil Change: write back, at a fresh ballot, what is there
	Grows     bool       // the Change makes data grow: two acceptors must have room for it
	Fill      bool       // with Rewrite: where nothing is held, write a tombstone, which says the same
	Order     [Seats]int // the seats, in the order in which to prefer them
}

// Send is a request to one seat. The reply goes back to Reply with its Tag;
// a Lazy one wants no reply and may be lost.
type Send struct {
	Seat    int
	Tag     uint32
	Request Request
	Lazy    bool
}

type phase uint8

const (
	phaseRead    phase = iota + 1 // reading at two
	phaseReread                   // looking again at one of them
	phaseForward                  // read repair: bringing the higher record to a second acceptor
	phasePrepare
	phaseAccept
	phasePause // waits for Resume
	phaseDone
)

// Round is one operation on one register, from first request to outcome. It is
// driven by Start, Reply, Hedge, Resume and Expire; each returns what to send,
// valid until the next call. It is not safe for concurrent use.
//
// Invariant: while phase is phaseAccept with own set, or resolving is set, an
// accept of the change has left and its outcome is not known; otherwise the
// change has not been chosen, nor ever will be by what has left.
type Round struct {
	spec     Spec
	proposer Proposer
	known    Knowledge

	phase phase
	tag   uint32 // of the phase's requests; replies with another are late
	poll  poll
	pair  [2]int        // the two seats whose replies count
	pre   [Seats]uint64 // epochs known before the first request of the attempt
	disks Incarnations  // one set for all requests of the attempt
	out   []Send

	ballot    Ballot // of the attempt, from phasePrepare on
	writing   bool   // a read that met a refusal goes on as a write that changes nothing
	proposal  Record // phaseForward, phaseAccept: what is to be stored
	refusal   error  // phaseAccept: proposal is the current record, written back before refusing
	own       bool   // phaseAccept: proposal is the change's result
	resolving bool   // reading to learn what became of op
	pressing  bool   // read repair was refused for want of room: the next one draws on the reserve
	op        Ballot
	base      Ballot // op id of what the change was made from
	change    Change // while resolving, what to make anew if it was not applied

	attempts, noQuorum, rereads int
	thirdAsked                  bool
	result                      Record
	err                         error
}

// poll is the state of asking two of three seats, and the third for want of one.
type poll struct {
	asked, answered [Seats]bool
	replies         [Seats]Reply
	yes             int
	hedges          int
	astray          bool // one refused for a ballot that is out of reach
}

func (p *poll) outstanding() int {
	n := 0
	for s := range Seats {
		if p.asked[s] && !p.answered[s] {
			n++
		}
	}
	return n
}

// full counts the acceptors that refused for want of room.
func (p *poll) full() int {
	n := 0
	for s := range Seats {
		if p.replies[s].Verdict == VerdictFull {
			n++
		}
	}
	return n
}

// NewRound prepares an operation.
func NewRound(spec Spec, proposer Proposer, known Knowledge) *Round {
	return &Round{spec: spec, proposer: proposer, known: known, writing: spec.Rewrite, out: make([]Send, 0, 4)}
}

// Start returns the first requests.
func (r *Round) Start() []Send {
	r.out = r.out[:0]
	r.begin()
	return r.out
}

// Done reports whether the outcome is known; nothing more is to be waited for.
func (r *Round) Done() bool { return r.phase == phaseDone }

// Pausing reports that nothing is to be waited for but Resume, and how many
// attempts were made: the driver backs off, at random, the longer the more.
func (r *Round) Pausing() (attempts int, pausing bool) {
	return r.attempts, r.phase == phasePause
}

// Outcome returns the record that the operation read or wrote, once Done. The
// error is the change's refusal, ErrUnavailable, ErrNoSpace or ErrUnknown.
func (r *Round) Outcome() (Record, error) { return r.result, r.err }

// ThirdAsked reports whether more than two acceptors were asked.
func (r *Round) ThirdAsked() bool { return r.thirdAsked }

// Reply takes the answer of a seat to the request with that tag. It must be
// called once for each Send that is not Lazy, with VerdictLost where no answer
// came.
func (r *Round) Reply(seat int, tag uint32, reply Reply) []Send {
	r.out = r.out[:0]
	if tag == r.tag && !r.poll.answered[seat] {
		r.take(seat, reply)
	}
	return r.out
}

func (r *Round) take(seat int, reply Reply) {
	if reply.Verdict == VerdictRefused {
		reply.Verdict = r.refused(reply.Highest)
	}
	r.poll.answered[seat] = true
	r.poll.replies[seat] = reply
	if reply.Verdict == VerdictYes {
		r.poll.yes++
	} else {
		r.demote(seat, reply.Verdict)
	}
	if reply.Verdict == VerdictStale {
		r.known.LearnDisks(reply.Disks)
		if r.phase != phaseAccept {
			r.begin() // with what was learned; nothing of this attempt counts
			return
		}
	}
	switch r.phase {
	case phaseRead, phaseReread:
		r.onRead(seat)
	case phaseForward:
		r.onForward()
	case phasePrepare:
		r.onPrepare(seat)
	case phaseAccept:
		r.onAccept()
	case phasePause, phaseDone:
	}
}

// refused moves the proposer's clock past the ballot that stands in the way. One
// that is too far ahead comes from a clock that went astray: a ballot above it
// would be promised by no other acceptor, for any key. So that acceptor can't
// take part, unless a second one is as far.
func (r *Round) refused(highest Ballot) Verdict {
	if !r.poll.astray && highest.Time > r.proposer.Next().Time+MaxAhead {
		r.poll.astray = true
		return VerdictUnable
	}
	r.proposer.Observe(highest)
	return VerdictRefused
}

// Hedge says that another hedge interval has passed since Tag last changed.
// After the first the third acceptor is asked too; after lostHedges of them
// what has not answered counts as lost.
func (r *Round) Hedge() []Send {
	r.out = r.out[:0]
	r.poll.hedges++
	for s := range Seats {
		if r.poll.asked[s] && !r.poll.answered[s] {
			r.demote(s, VerdictLost)
		}
	}
	switch r.phase {
	case phaseReread:
		r.begin()
	case phaseRead, phaseForward, phasePrepare, phaseAccept:
		r.askThird()
		if r.poll.hedges == lostHedges {
			r.giveUpWaiting()
		}
	case phasePause, phaseDone:
	}
	return r.out
}

func (r *Round) giveUpWaiting() {
	tag := r.tag
	for s := range Seats {
		if tag == r.tag && r.poll.asked[s] && !r.poll.answered[s] {
			r.take(s, Reply{Verdict: VerdictLost})
		}
	}
}

// Tag changes whenever the operation begins to wait for something new, which is
// when the hedge interval starts over.
func (r *Round) Tag() uint32 { return r.tag }

// Resume ends a pause.
func (r *Round) Resume() []Send {
	r.out = r.out[:0]
	if r.phase == phasePause {
		r.begin()
	}
	return r.out
}

// Expire ends the operation where it stands.
func (r *Round) Expire() {
	if r.phase == phaseDone {
		return
	}
	if r.resolving || (r.phase == phaseAccept && r.own) {
		r.finish(Record{}, ErrUnknown)
		return
	}
	r.finish(Record{}, ErrUnavailable)
}

// begin starts an attempt, with what is known of epochs by now.
func (r *Round) begin() {
	if r.attempts == maxAttempts {
		r.Expire()
		return
	}
	r.attempts++
	r.pre, r.disks = r.known.Known()
	r.rereads = 0
	if r.spec.Change == nil && !r.writing {
		r.ask(phaseRead)
		return
	}
	r.ballot = r.proposer.Next()
	r.ask(phasePrepare)
}

// retry starts over after a refusal: at once the first time, since one look at
// the other's ballot is enough to pass it, and paused after that.
func (r *Round) retry() {
	if r.attempts < 2 {
		r.begin()
		return
	}
	r.pause()
}

// retryNoQuorum starts over after too few acceptors answered.
func (r *Round) retryNoQuorum() {
	r.noQuorum++
	if r.noQuorum == maxNoQuorum {
		r.Expire()
		return
	}
	r.pause()
}

func (r *Round) pause() {
	r.tag++ // nothing that is still under way counts
	r.phase = phasePause
}

func (r *Round) finish(rec Record, err error) {
	r.tag++
	r.phase = phaseDone
	r.result, r.err = rec, err
}

// ask enters a phase that asks the two preferred seats.
func (r *Round) ask(p phase) {
	r.enter(p)
	r.send(r.spec.Order[0])
	r.send(r.spec.Order[1])
}

func (r *Round) enter(p phase) {
	r.tag++
	r.phase = p
	r.poll = poll{}
}

func (r *Round) askThird() {
	for _, s := range r.spec.Order {
		if !r.poll.asked[s] {
			r.thirdAsked = true
			r.send(s)
			return
		}
	}
}

// send asks one seat what the phase asks.
func (r *Round) send(seat int) {
	q := Request{Partition: r.spec.Partition, Key: r.spec.Key, Disks: r.disks}
	switch r.phase {
	case phaseRead, phaseReread:
		q.Kind = KindRead
	case phasePrepare:
		q.Kind, q.Ballot = KindPrepare, r.ballot
		q.Grows = r.spec.Grows && r.spec.Change != nil
	case phaseForward:
		q.Kind, q.Record = KindAccept, r.proposal
		q.Grows = !r.proposal.Tombstone && !r.pressing // the third may hold it already
	case phaseAccept: // for which room was promised
		q.Kind, q.Record = KindAccept, r.proposal
	case phasePause, phaseDone:
		panic("register: a finished round has nothing to ask")
	}
	r.poll.asked[seat] = true
	r.out = append(r.out, Send{Seat: seat, Tag: r.tag, Request: q})
}

// demote prefers the other seats for the rest of the operation.
func (r *Round) demote(seat int, why Verdict) {
	if why == VerdictRefused || why == VerdictStale {
		return // it answered, and will again when asked the right way
	}
	o := &r.spec.Order
	for i := range Seats - 1 {
		if o[i] == seat {
			o[i], o[i+1] = o[i+1], o[i]
		}
	}
}

// chosen tells the data replicas that accepted rec that a quorum did.
func (r *Round) chosen(rec Record) {
	for s := SeatD1; s <= SeatD2; s++ {
		if r.poll.replies[s].Verdict == VerdictYes {
			r.lazy(s, Request{Kind: KindChosen, Ballot: rec.Ballot})
		}
	}
}

func (r *Round) lazy(seat int, q Request) {
	q.Partition, q.Key, q.Disks = r.spec.Partition, r.spec.Key, r.disks
	r.out = append(r.out, Send{Seat: seat, Request: q, Lazy: true})
}
