package register

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// fate is what becomes of one message and its reply.
type fate int

const (
	fateArrives fate = iota
	fateLost         // for its sender; the request arrives when all is over
	fateReplyLost
	fateUnsent
	fates
)

// trial is one operation whose first messages meet given fates.
type trial struct {
	*world
	hasty bool // the operation expires at its first pause
	fates []fate
	used  int       // of fates
	late  []Request // requests that arrive at the end
	seats []int     // of late
}

// play runs an operation to its end and returns its outcome.
func (tr *trial) play(spec Spec) (Record, error) {
	p := tr.proposer(1)
	spec.Key, spec.Order = scenarioKey, [Seats]int{SeatD1, SeatD2, SeatW}
	round := NewRound(spec, p, &p.known)
	tr.now++
	queue := append([]Send(nil), round.Start()...)
	for !round.Done() {
		if _, pausing := round.Pausing(); pausing && tr.hasty {
			round.Expire()
			continue
		}
		if len(queue) == 0 {
			queue = append(queue, round.Resume()...)
			if len(queue) == 0 {
				queue = append(queue, round.Hedge()...)
			}
			continue
		}
		s := queue[0]
		queue = queue[1:]
		if s.Lazy {
			tr.step(s.Seat, s.Request)
			continue
		}
		queue = append(queue, round.Reply(s.Seat, s.Tag, tr.deliver(s))...)
	}
	return round.Outcome()
}

func (tr *trial) deliver(s Send) Reply {
	f := fateArrives
	if tr.used < len(tr.fates) {
		f = tr.fates[tr.used]
	}
	tr.used++
	switch f {
	case fateLost:
		tr.late = append(tr.late, s.Request)
		tr.seats = append(tr.seats, s.Seat)
		return Reply{Verdict: VerdictLost}
	case fateReplyLost:
		tr.step(s.Seat, s.Request)
		return Reply{Verdict: VerdictLost}
	case fateUnsent:
		return Reply{Verdict: VerdictUnsent}
	case fateArrives, fates:
	}
	reply := tr.step(s.Seat, s.Request)
	reply.Sole = true
	return reply
}

// read asks the pair that leaves one seat out.
func (tr *trial) read(t *testing.T, without int) string {
	t.Helper()
	w := tr.world
	order := [Seats]int{(without + 1) % Seats, (without + 2) % Seats, without}
	w.begin("r", Spec{Order: order}, 2)
	w.run(w.ops["r"])
	rec, err := w.ops["r"].round.Outcome()
	require.NoError(t, err)
	return string(rec.Value())
}

// TestLossAtEveryMessage gives the first messages of a change every combination of
// fates. Not applied must mean never seen, done must mean seen for ever, and what
// one reader saw the next one sees, through whatever pair.
func TestLossAtEveryMessage(t *testing.T) {
	const depth = 6
	for _, kind := range []string{"append", "delete"} {
		t.Run(kind, func(t *testing.T) {
			count, outcomes := 0, map[string]int{}
			for _, hasty := range []bool{false, true} {
				for next := make([]fate, depth); next != nil; {
					tr := &trial{world: newWorld(t), hasty: hasty, fates: next}
					tr.given("zero")
					used, outcome := tr.judge(t, kind)
					count++
					outcomes[outcome]++
					next = following(next, min(used, depth))
				}
			}
			t.Logf("%d combinations: %v", count, outcomes)
			for _, outcome := range []string{"done", "not applied", "unknown"} {
				require.Positive(t, outcomes[outcome], "no combination ended as %s", outcome)
			}
		})
	}
}

// following returns the next combination that differs within the first used fates.
func following(f []fate, used int) []fate {
	next := make([]fate, len(f))
	copy(next, f[:used])
	for i := used - 1; i >= 0; i-- {
		if next[i]++; next[i] < fates {
			return next
		}
		next[i] = 0
	}
	return nil
}

func (tr *trial) judge(t *testing.T, kind string) (used int, outcome string) {
	t.Helper()
	before, after := "zero", "zeroone"
	if kind == "delete" {
		after = ""
	}
	_, err := tr.play(Spec{Change: testChange(kind, "one")})
	name := fmt.Sprint(tr.fates)
	seen := []string{tr.read(t, SeatD1)}
	for i, q := range tr.late {
		tr.step(tr.seats[i], q)
		seen = append(seen, tr.read(t, i%Seats))
	}
	for without := range Seats {
		seen = append(seen, tr.read(t, without))
	}
	switch {
	case err == nil:
		for _, doc := range seen {
			require.Equal(t, after, doc, name)
		}
		return tr.used, "done"
	case errors.Is(err, ErrUnavailable):
		for _, doc := range seen {
			require.Equal(t, before, doc, name)
		}
		return tr.used, "not applied"
	}
	require.ErrorIs(t, err, ErrUnknown, name)
	applied := false
	for _, doc := range seen {
		require.Contains(t, []string{before, after}, doc, name)
		require.False(t, applied && doc == before, "%s: seen, and then no more: %q", name, seen)
		applied = doc == after
	}
	return tr.used, "unknown"
}
