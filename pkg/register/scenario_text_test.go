package register

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

func arg(d *datadriven.TestData, i int) string {
	if i >= len(d.CmdArgs) {
		return ""
	}
	return d.CmdArgs[i].Key
}

func number(t *testing.T, s string) int {
	var n int
	_, err := fmt.Sscanf(s, "%d", &n)
	require.NoError(t, err, "%q is no number", s)
	return n
}

func seatOf(t *testing.T, name string) int {
	for s, n := range seatNames {
		if n == name {
			return s
		}
	}
	t.Fatalf("no seat %q", name)
	return 0
}

func showBallot(b Ballot) string {
	if b.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%d", b.Time, b.Proposer)
}

func showRecord(r Record) string {
	if r.Blank() {
		return "blank"
	}
	s := showBallot(r.Ballot)
	if r.Tombstone {
		s += " tombstone"
	} else {
		s += fmt.Sprintf(" %q", r.Doc)
	}
	if r.Op != r.Ballot {
		s += " (op " + showBallot(r.Op) + ")"
	}
	return s
}

func showRequest(q Request) string {
	switch q.Kind {
	case KindPrepare, KindChosen:
		return fmt.Sprintf("%s %s", q.Kind, showBallot(q.Ballot))
	case KindAccept:
		return fmt.Sprintf("accept %s", showRecord(q.Record))
	case KindRead:
	}
	return q.Kind.String()
}

func showReply(kind Kind, r Reply) string {
	switch {
	case r.Verdict == VerdictRefused && kind == KindAccept:
		return fmt.Sprintf("refused, highest %s, held %s", showBallot(r.Highest), showBallot(r.Held))
	case r.Verdict == VerdictRefused:
		return "refused, highest " + showBallot(r.Highest)
	case r.Verdict == VerdictYes && kind != KindAccept:
		s := fmt.Sprintf("%s, epoch %d", showRecord(r.Record), r.Epoch)
		if r.Chosen {
			s += ", chosen"
		}
		return s
	}
	return r.Verdict.String()
}

func (w *world) state() {
	for i, s := range w.seats {
		w.printf("%s: ", seatNames[i])
		if !s.up {
			w.printf("down, ")
		}
		rec := s.records[scenarioKey]
		w.printf("%s", showRecord(rec))
		if mark, ok := s.acceptor.chosen.get(scenarioKey); ok && mark == rec.Ballot {
			w.printf(", chosen")
		}
		if b, ok := s.acceptor.promised.get(scenarioKey); ok {
			w.printf(", promised %s", showBallot(b))
		}
		if f := s.acceptor.durable.Floor; !f.IsZero() {
			w.printf(", floor %s", showBallot(f))
		}
		w.printf("\n")
	}
}

func (w *world) op(d *datadriven.TestData) *testOp {
	op := w.ops[arg(d, 0)]
	require.NotNil(w.t, op, "%s: no operation %q", d.Pos, arg(d, 0))
	return op
}
