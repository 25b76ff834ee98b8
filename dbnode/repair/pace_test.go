package repair

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPace: the pace is that of the work under way, not of an earlier one, and
// none when the work halted.
func TestPace(t *testing.T) {
	zero := time.Unix(1_700_000_000, 0)
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }
	var p Pace
	require.Zero(t, p.PerSecond(at(0)), "nothing was done yet")

	p.Did(at(0), at(1), 100)
	p.Did(at(1), at(2), 300)
	require.InDelta(t, 200, p.PerSecond(at(2)), 0.1)
	require.InDelta(t, 200, p.PerSecond(at(5)), 0.1, "a batch may take as long")
	require.Zero(t, p.PerSecond(at(7)), "halted")

	p.Did(at(100), at(101), 10)
	require.InDelta(t, 10, p.PerSecond(at(101)), 0.1, "the time between does not count")

	for s := range 200 {
		p.Did(at(101+float64(s)), at(102+float64(s)), 1000)
	}
	require.InDelta(t, 1000, p.PerSecond(at(301)), 10, "it follows a change")

	var none Pace
	none.Did(at(0), at(1), 0)
	require.Zero(t, none.PerSecond(at(1)), "no progress is no estimate")
}
