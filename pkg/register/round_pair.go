package register

// moved counts the blank replies of the pair that came from an acceptor which may
// have forgotten a record since the attempt began: the other reply may then be
// older than what was forgotten. It returns that other seat, and takes the epochs
// as known from here on.
func (r *Round) moved() (lookAgainAt, moved int) {
	for i, s := range r.pair {
		reply := r.poll.replies[s]
		if reply.Record.Blank() && reply.Epoch != r.pre[s] {
			lookAgainAt = r.pair[1-i]
			moved++
		}
		r.pre[s] = reply.Epoch
		r.known.LearnEpoch(s, reply.Epoch)
	}
	return lookAgainAt, moved
}

// compare returns the higher record of the pair with its seat, and the other
// seat; same says that both hold that ballot.
func (r *Round) compare() (hi Record, hiSeat, loSeat int, same bool) {
	x, y := r.pair[0], r.pair[1]
	a, b := r.poll.replies[x].Record, r.poll.replies[y].Record
	if a.Ballot.Less(b.Ballot) {
		return b, y, x, false
	}
	return a, x, y, a.Ballot == b.Ballot
}

// settled reports whether the reply's record is known to be chosen.
func (r *Round) settled(seat int) bool { return r.poll.replies[seat].Chosen }
