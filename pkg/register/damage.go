package register

// A record whose checksum fails says nothing: neither what its ballot was, nor
// whether it was chosen. So its acceptor can neither vote with it nor take it for
// a blank, and falls silent for that one key. It comes back by taking a record
// that is newer than all it can have said about the key.
//
// What it can have said lies below its horizon: a promise or an accept at or
// above it would have moved it first. So the horizon at the moment when the
// damage is noticed, the bar, stands above the lost record and above every
// promise for the key; nothing is added to either while the acceptor is silent. To
// accept at or above the bar is what the acceptor would do were its record whole.
//
// Such a record comes from a Round with Rewrite, Fill and ballots above the bar,
// run by the damaged acceptor's node. The other two are its quorum, and whatever
// was chosen was accepted by one of them at least, whichever seat is damaged:
//   - A data replica: the other one, or the witness, whose hint is forgotten only
//     when both data replicas hold it.
//   - The witness: a data replica. Its hint was chosen together with one of them.
//
// Where both others are blank the lost record was never chosen, or it was a
// tombstone of which the other copy is collected already. Both read as "absent",
// and so does the tombstone that Fill writes; it bars what was never chosen from
// coming back, and is collected like any other. The acceptor then takes the
// outcome as an accept: at a data replica it is the record, at the witness a hint
// that both data replicas hold and that handoff forgets.

// Damage is a key whose record is damaged at some acceptor.
type Damage struct {
	Partition uint16
	Key       string
	Bar       Ballot // a record at or above it may replace the damaged one
}

// DamageBar returns a ballot above all that the acceptor promised, accepted or
// holds, for any key.
func (a *Acceptor) DamageBar() Ballot { return Ballot{Time: a.durable.Horizon} }

// StepDamaged is Step for a key whose record on disk is damaged. bar is what
// DamageBar returned when that was noticed; since then every request for the key
// must have come here. If the effects put the record of q, the key is whole again.
func (a *Acceptor) StepDamaged(now int64, q Request, bar Ballot) (Reply, Effects) {
	if q.Kind != KindAccept || q.Record.Ballot.Less(bar) {
		return Reply{Verdict: VerdictUnable}, Effects{}
	}
	return a.Step(now, q, Record{})
}

// CopyDamaged is Copy for such a key: what the acceptor accepted while it was
// joining counts, so that an older copy must not replace it.
func (a *Acceptor) CopyDamaged(now int64, rec Record, bar Ballot) Effects {
	if rec.Ballot.Less(bar) {
		return Effects{}
	}
	return a.Copy(now, rec, Record{})
}
