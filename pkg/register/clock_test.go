package register

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestClockBallotsAreUnique: with physical clocks that stand, lag and jump, no
// ballot comes twice, and each is above all that its clock saw.
func TestClockBallotsAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clocks := []*Clock{NewClock(1), NewClock(2), NewClock(3)}
		last := make([]Ballot, len(clocks))
		seen := map[Ballot]bool{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			i := rapid.IntRange(0, len(clocks)-1).Draw(t, "clock")
			if rapid.Bool().Draw(t, "observe") {
				b := last[rapid.IntRange(0, len(clocks)-1).Draw(t, "of")]
				clocks[i].Observe(b)
				last[i] = Max(last[i], Ballot{Time: b.Time})
				continue
			}
			now := rapid.Int64Range(0, 50).Draw(t, "now")
			b := clocks[i].Next(now)
			require.False(t, seen[b], "%s twice", b)
			require.GreaterOrEqual(t, b.Time, now)
			require.Greater(t, b.Time, last[i].Time)
			seen[b], last[i] = true, b
		}
	})
}

func TestBallotOrder(t *testing.T) {
	ordered := []Ballot{{}, {0, 1}, {1, 0}, {1, 2}, {2, 1}, {math.MaxInt64, 0}, MaxBallot()}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, i < j, a.Less(b), "%s < %s", a, b)
			require.Equal(t, ordered[max(i, j)], Max(a, b))
		}
		require.Equal(t, i == 0, a.IsZero())
	}
	require.Equal(t, "1f.2", Ballot{31, 2}.String())
}

func TestNames(t *testing.T) {
	for kind, name := range map[Kind]string{
		KindRead: "read", KindPrepare: "prepare", KindAccept: "accept", KindChosen: "chosen", 0: "invalid",
	} {
		require.Equal(t, name, kind.String())
	}
	for verdict, name := range map[Verdict]string{
		VerdictYes: "yes", VerdictRefused: "refused", VerdictUnable: "unable",
		VerdictLost: "lost", VerdictUnsent: "unsent", 0: "invalid",
	} {
		require.Equal(t, name, verdict.String())
	}
}
