package register

// onRead goes on when two acceptors, or the one looked at again, answered.
func (r *Round) onRead(seat int) {
	if r.phase == phaseReread {
		if r.poll.replies[seat].Verdict != VerdictYes {
			r.retryNoQuorum()
			return
		}
		r.judgeRead()
		return
	}
	if !r.havePair(seat) {
		return
	}
	r.judgeRead()
}

// havePair collects the first two yes of a poll, asking the third for want of
// one, and starts over when two can't be had.
func (r *Round) havePair(seat int) bool {
	if r.poll.replies[seat].Verdict != VerdictYes {
		r.askThird()
		if r.poll.yes+r.poll.outstanding() < 2 {
			r.retryNoQuorum()
		}
		return false
	}
	r.pair[r.poll.yes-1] = seat
	return r.poll.yes == 2
}

// judgeRead is the read rule: never answer a record that isn't chosen.
func (r *Round) judgeRead() {
	switch again, moved := r.moved(); moved {
	case 1:
		r.reread(again)
		return
	case 2:
		r.retry() // neither reply may be kept
		return
	}
	hi, hiSeat, loSeat, same := r.compare()
	switch {
	case same:
		r.finishRead(hi)
	case r.settled(hiSeat):
		if loSeat != SeatW { // the witness holds nothing that both data replicas have
			r.lazy(loSeat, Request{Kind: KindAccept, Record: hi, Grows: !hi.Tombstone})
		}
		r.finishRead(hi)
	default:
		r.forward(hi, hiSeat, loSeat)
	}
}

// reread asks one of the pair again and keeps the other's reply.
func (r *Round) reread(seat int) {
	if r.rereads == maxRereads {
		r.retry()
		return
	}
	r.rereads++
	kept := r.poll.replies
	r.enter(phaseReread)
	r.poll.replies = kept
	r.poll.yes = 1
	r.send(seat)
}

// forward is read repair: the higher record goes, as the accept that it was, to
// a second acceptor.
func (r *Round) forward(rec Record, hiSeat, loSeat int) {
	r.proposal = rec
	r.enter(phaseForward)
	r.poll.asked[hiSeat], r.poll.answered[hiSeat] = true, true
	r.poll.replies[hiSeat] = Reply{Verdict: VerdictYes}
	r.poll.yes = 1
	r.send(loSeat)
}

func (r *Round) onForward() {
	if r.poll.yes == 2 {
		rec := r.proposal
		r.chosen(rec)
		r.finishRead(rec)
		return
	}
	for s := range Seats {
		if r.poll.replies[s].Verdict == VerdictRefused {
			// A promise or a floor is in the way: a fresh ballot passes it.
			r.writing = true
			r.retry()
			return
		}
	}
	r.askThird()
	switch {
	case r.poll.outstanding() > 0:
	case r.poll.full() > 0 && !r.pressing:
		r.pressing = true
		r.begin()
	default:
		r.retryNoQuorum()
	}
}

// finishRead ends a read, or a look at what became of a change.
func (r *Round) finishRead(rec Record) {
	if r.passedOver(rec) {
		r.resolving = false
		r.spec.Change = r.change
		r.retry()
		return
	}
	if !r.resolving || rec.Op == r.op {
		r.finish(rec, nil)
		return
	}
	r.finish(Record{}, ErrUnknown)
}

// passedOver reports whether a chosen record proves that the change in doubt was
// not applied and never will be: chosen above the change's ballot, it still has the
// content that the change was made from. Had the change been chosen, whatever
// was chosen above it would carry its op id or a later one.
func (r *Round) passedOver(rec Record) bool {
	return r.resolving && !rec.Blank() && rec.Op == r.base && r.op.Less(rec.Ballot)
}
