package sim

import (
	"fmt"

	"github.com/dyad-db/dyad/pkg/register"
)

// describe, describeReply and describeOutcome are what a trace shows.

func describe(q *register.Request) string {
	switch q.Kind {
	case register.KindAccept:
		return fmt.Sprintf("accept %s %s", q.Key, describeRecord(q.Record))
	case register.KindPrepare, register.KindChosen, register.KindBar, register.KindCollect:
		return fmt.Sprintf("%s %s %s", q.Kind, q.Key, describeBallot(q.Ballot))
	case register.KindRead:
	}
	return fmt.Sprintf("%s %s", q.Kind, q.Key)
}

func describeReply(r *register.Reply) string {
	switch r.Verdict {
	case register.VerdictYes:
		s := fmt.Sprintf("yes, holds %s, epoch %x", describeRecord(r.Record), r.Epoch)
		if r.Chosen {
			s += ", chosen"
		}
		return s
	case register.VerdictRefused:
		return fmt.Sprintf("refused: highest %s, holds %s, floor %s",
			describeBallot(r.Highest), describeBallot(r.Held), describeBallot(r.Floor))
	case register.VerdictStale:
		return fmt.Sprintf("stale: disks %v", r.Disks)
	case register.VerdictUnable, register.VerdictFull, register.VerdictLost, register.VerdictUnsent:
	}
	return r.Verdict.String()
}

func describeRecord(r register.Record) string {
	if r.Blank() {
		return "blank"
	}
	s := fmt.Sprintf("%s %q", describeBallot(r.Ballot), r.Doc)
	if r.Tombstone {
		s = describeBallot(r.Ballot) + " tombstone"
	}
	if r.Op != r.Ballot {
		s += " of op " + describeBallot(r.Op)
	}
	return s
}

// describeBallot shows the time as microseconds after the start of the run.
func describeBallot(b register.Ballot) string {
	if b.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%d", b.Time-origin, b.Proposer)
}

func describeOutcome(rec register.Record, err error) string {
	if err != nil {
		return fmt.Sprintf("%v (%s)", err, describeRecord(rec))
	}
	return describeRecord(rec)
}
