package register

// onPrepare goes on when two acceptors promised.
func (r *Round) onPrepare(seat int) {
	if r.poll.replies[seat].Verdict == VerdictRefused {
		r.retry()
		return
	}
	if r.poll.full() == 2 && !r.resolving {
		// No accept is at stake: one that left before was proven not applied.
		r.finish(Record{}, ErrNoSpace)
		return
	}
	if !r.havePair(seat) {
		return
	}
	if _, moved := r.moved(); moved > 0 {
		// The other reply may be older than a delete that was since collected.
		r.begin()
		return
	}
	r.decide()
}

// decide applies the change to the newest record of the pair.
func (r *Round) decide() {
	cur, seat, _, same := r.compare()
	settled := same || r.settled(seat)
	if r.spec.Change == nil {
		switch {
		case cur.Blank() && r.spec.Fill:
			r.writeBack(Record{Op: r.ballot, Tombstone: true}, nil)
		case cur.Blank() || settled && !r.spec.Rewrite:
			r.finishRead(cur)
		default:
			r.writeBack(cur, nil)
		}
		return
	}
	doc, err := r.spec.Change(cur.Value())
	switch {
	case err == nil:
		r.own = true
		r.base, r.op = cur.Op, r.ballot
		r.propose(Record{Ballot: r.ballot, Op: r.ballot, Tombstone: doc == nil, Doc: doc})
	case settled:
		r.finish(cur, err)
	default:
		r.writeBack(cur, err)
	}
}

// writeBack makes the record that was seen the chosen one, changing nothing.
func (r *Round) writeBack(cur Record, refusal error) {
	r.own = false
	r.refusal = refusal
	cur.Ballot = r.ballot
	r.propose(cur)
}

// propose asks the two that promised to accept.
func (r *Round) propose(rec Record) {
	if rec.Ballot != r.ballot || rec.Op.IsZero() || r.ballot.Less(rec.Op) {
		panic("register: a proposal carries its attempt's ballot and an op id not above it")
	}
	r.proposal = rec
	r.enter(phaseAccept)
	r.send(r.pair[0])
	r.send(r.pair[1])
}

func (r *Round) onAccept() {
	if r.poll.yes == 2 {
		rec := r.proposal
		r.chosen(rec)
		if r.own {
			r.finish(rec, nil)
			return
		}
		if r.refusal != nil {
			r.finish(rec, r.refusal)
			return
		}
		r.finishRead(rec)
		return
	}
	if r.thirdCanHelp() {
		r.askThird()
	}
	if r.poll.outstanding() == 0 {
		r.acceptFailed()
	}
}

// thirdCanHelp reports whether one more yes may complete the quorum, given what
// has been answered: after a refusal only together with a yes that is there.
func (r *Round) thirdCanHelp() bool {
	refused, failed := 0, 0
	for s := range Seats {
		switch r.poll.replies[s].Verdict {
		case VerdictRefused:
			refused++
		case VerdictUnable, VerdictStale, VerdictFull, VerdictLost, VerdictUnsent:
			failed++
		case VerdictYes:
		}
	}
	return r.poll.yes == 1 && refused+failed > 0 ||
		refused == 0 && failed > 0 && r.poll.outstanding() > 0
}

// acceptFailed tells "not applied" from "may be": the first starts over, the
// second reads on to learn what became of it.
func (r *Round) acceptFailed() {
	if !r.own {
		r.retry() // nothing of anyone's is at stake
		return
	}
	for s := range Seats {
		if r.poll.asked[s] && !r.poll.replies[s].provesNotApplied() {
			r.resolve()
			return
		}
	}
	r.own = false
	r.retry()
}

// resolve goes on as a read for the change's op id.
func (r *Round) resolve() {
	r.resolving = true
	r.own = false
	r.change, r.spec.Change = r.spec.Change, nil
	r.writing = false
	r.begin()
}
