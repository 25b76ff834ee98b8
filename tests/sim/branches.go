package sim

import (
	"errors"

	"github.com/dyad-db/dyad/pkg/register"
)

// branch is a way that the protocol took.
type branch uint8

// The branches that a run may meet.
const (
	branchReadBlank branch = iota
	branchReadRecord
	branchReadChosen
	branchPromised
	branchPrepareRefused
	branchPrepareOutOfReach
	branchPrepareFull
	branchAccepted
	branchAcceptedAgain
	branchBelowPromise
	branchBelowFloor
	branchBelowHeld
	branchAcceptFull
	branchStale
	branchNotAdmitted
	branchJoiningSilent
	branchJoiningAccepts
	branchDamagedSilent
	branchChosenMarked
	branchBarred
	branchBarRefused
	branchCollected
	branchCollectRefused

	branchSameBallot
	branchLazyRepair
	branchForwarded
	branchForwardPressed
	branchReadWrites
	branchLookedAgain
	branchStartedOver
	branchPaused
	branchThirdReads
	branchThirdPrepares
	branchThirdAccepts
	branchDone
	branchRefusedAtOnce
	branchRefusedAfterWriteBack
	branchResolving
	branchResolvedDone
	branchPassedOver
	branchUnknown
	branchUnavailable
	branchNoSpace

	branchDelivered
	branchHintRefused
	branchHintWaitsForRoom
	branchHintReplaced
	branchHintKept
	branchTreesSame
	branchHealed

	branchFormed
	branchAdmittedByOne
	branchAdmittedByBoth
	branchWaits
	branchRejoined
	branchSetAside
	branchFenced
	branchCopiedFromData
	branchCopiedHints
	branchRebuiltData
	branchRebuiltWitness
	branchDiffers
	branchRebuildRetried
	branchRebuildWaitsForRoom
	branchWhole

	branchMended
	branchStateWrittenAnew
	branchStateLost
	branchFailedDiskSilent
	branches
)

// String names the branch as reports print it.
func (b branch) String() string {
	return [...]string{
		"read: blank", "read: a record", "read: a chosen record",
		"prepare: promised", "prepare: refused", "prepare: out of reach", "prepare: no room",
		"accept: taken", "accept: held already", "accept: below a promise", "accept: below the floor",
		"accept: below what is held", "accept: no room",
		"sent under an older disk", "silent: not admitted", "silent: joining", "joining, takes an accept",
		"silent: damaged record", "chosen: marked",
		"bar: taken", "bar: refused", "collect: dropped", "collect: refused",
		"answered: same ballot", "answered: chosen, the other repaired lazily",
		"read repair", "read repair drawing on the reserve", "read goes on as a write",
		"moved: looked again", "moved or refused: started over", "paused", "third asked to read",
		"third asked to promise", "third asked to accept", "change done", "refused at once",
		"refused after a write-back", "change in doubt", "in doubt: done after all", "in doubt: passed over, made anew",
		"unknown outcome", "no quorum", "no room at two",
		"hint delivered", "hint refused, rewritten", "hint waits for room", "hint replaced meanwhile",
		"hint kept: a node is joining", "anti-entropy: the same", "anti-entropy: healed",
		"cluster formed", "admitted by one peer", "admitted by both peers", "waits for a peer", "blank disk rejoins",
		"old copy set aside", "fenced by both peers", "rebuild: copied from the data replica",
		"rebuild: copied hints", "data replica rebuilt", "witness rebuilt", "rebuild: the data replicas differ",
		"rebuild: tried again", "rebuild: waits for room", "node whole again", "damaged record mended", "damaged state written anew", "damaged state met at a start",
		"silent: the disk fails",
	}[b]
}

// branchOf is the way that an acceptor took with a request. again says that it had
// taken this very accept before.
func branchOf(n *node, q *register.Request, r *register.Reply, again bool) (branch, bool) {
	switch r.Verdict {
	case register.VerdictStale:
		return branchStale, true
	case register.VerdictUnable:
		return unable(n, q)
	case register.VerdictFull:
		if q.Kind == register.KindPrepare {
			return branchPrepareFull, true
		}
		return branchAcceptFull, true
	case register.VerdictRefused:
		return refused(q, r)
	case register.VerdictYes:
		return accepted(n, q, r, again)
	case register.VerdictLost, register.VerdictUnsent:
	}
	return 0, false
}

func unable(n *node, q *register.Request) (branch, bool) {
	switch {
	case !n.replica.Admitted():
		return branchNotAdmitted, true
	case n.replica.Joining(q.Partition):
		return branchJoiningSilent, true
	case n.damages(q):
		return branchDamagedSilent, true
	case q.Kind == register.KindPrepare:
		return branchPrepareOutOfReach, true
	}
	return 0, false
}

func refused(q *register.Request, r *register.Reply) (branch, bool) {
	switch {
	case q.Kind == register.KindPrepare:
		return branchPrepareRefused, true
	case q.Kind == register.KindBar:
		return branchBarRefused, true
	case q.Kind == register.KindCollect:
		return branchCollectRefused, true
	case q.Record.Ballot.Less(r.Held):
		return branchBelowHeld, true
	case !r.Floor.Less(q.Record.Ballot):
		return branchBelowFloor, true
	}
	return branchBelowPromise, true
}

func accepted(n *node, q *register.Request, r *register.Reply, again bool) (branch, bool) {
	switch q.Kind {
	case register.KindRead:
		switch {
		case r.Record.Blank():
			return branchReadBlank, true
		case r.Chosen:
			return branchReadChosen, true
		}
		return branchReadRecord, true
	case register.KindPrepare:
		return branchPromised, true
	case register.KindChosen:
		return branchChosenMarked, true
	case register.KindBar:
		return branchBarred, true
	case register.KindCollect:
		return branchCollected, true
	case register.KindAccept:
	}
	switch {
	case again:
		return branchAcceptedAgain, true
	case n.replica.Joining(q.Partition):
		return branchJoiningAccepts, true
	}
	return branchAccepted, true
}

// operationWatch is what is kept with an operation to tell its branches.
type operationWatch struct {
	own       bool // an accept of its change left
	resolving bool // it looks for what became of that
	written   bool // a read that goes on as a write
	wroteBack bool // it proposed a record that was there
}

// asks notes the way that an operation's round takes, from what it sends next.
func (o *operation) asks(sends []register.Send) {
	w, touched := &o.sim.watch, o.touched
	direct := 0
	for i := range sends {
		if !sends[i].Lazy {
			direct++
		}
	}
	for i := range sends {
		send := &sends[i]
		q := &send.Request
		third := direct == 1 && !touched[send.Seat]
		switch {
		case send.Lazy && q.Kind == register.KindAccept:
			w.branch(branchLazyRepair)
		case send.Lazy:
		case q.Kind == register.KindRead:
			o.asksToRead(third, direct, touched[send.Seat])
		case q.Kind == register.KindPrepare:
			o.asksToPromise(third)
		case q.Kind == register.KindAccept:
			o.asksToAccept(q, third)
		}
	}
}

func (o *operation) asksToRead(third bool, direct int, before bool) {
	w := &o.sim.watch
	switch {
	case third:
		w.branch(branchThirdReads)
	case direct == 1 && before:
		w.branch(branchLookedAgain)
	case o.own && !o.resolving:
		o.resolving = true
		w.branch(branchResolving)
	}
}

func (o *operation) asksToPromise(third bool) {
	w := &o.sim.watch
	switch {
	case third:
		w.branch(branchThirdPrepares)
	case o.kind == opRead && !o.written:
		o.written = true
		w.branch(branchReadWrites)
	case o.resolving:
		o.resolving, o.own = false, false
		w.branch(branchPassedOver)
	case o.sends > 0:
		w.branch(branchStartedOver)
	}
}

func (o *operation) asksToAccept(q *register.Request, third bool) {
	w := &o.sim.watch
	own := q.Record.Op == q.Record.Ballot && o.kind != opRead && !o.resolving
	o.own = o.own || own
	o.wroteBack = o.wroteBack || !own
	switch {
	case third:
		w.branch(branchThirdAccepts)
	case o.kind == opRead && !o.written || o.resolving:
		if !q.Grows && !q.Record.Tombstone {
			w.branch(branchForwardPressed)
			return
		}
		w.branch(branchForwarded)
	}
}

// ends notes how an operation ended.
func (o *operation) ends(rec register.Record, err error) {
	w := &o.sim.watch
	switch {
	case errors.Is(err, register.ErrUnavailable):
		w.branch(branchUnavailable)
	case errors.Is(err, register.ErrNoSpace):
		w.branch(branchNoSpace)
	case errors.Is(err, register.ErrUnknown):
		w.branch(branchUnknown)
	case err != nil && o.wroteBack:
		w.branch(branchRefusedAfterWriteBack)
	case errors.Is(err, errExists) || errors.Is(err, errNotFound):
		w.branch(branchRefusedAtOnce)
	case err == nil && o.resolving:
		w.branch(branchResolvedDone)
	case err == nil && o.kind == opRead && !o.written && o.sends == 2 && !rec.Blank():
		w.branch(branchSameBallot)
	case err == nil && o.own:
		w.branch(branchDone)
	}
}
