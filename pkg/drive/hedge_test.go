package drive

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/placement"
)

// usually lets each node take that long, often enough to be its usual latency.
func usually(took ...time.Duration) *latencies {
	l := &latencies{hedge: DefaultHedge()}
	for node, d := range took {
		for range 1000 {
			l.observe(node, d)
		}
	}
	return l
}

func TestHedgeFollowsTheMedianWithinItsBounds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		took []time.Duration
		want time.Duration
	}{
		{"nothing known", nil, 10 * ms},
		{"all quick", []time.Duration{ms, ms, ms}, 10 * ms},
		{"a few times the usual", []time.Duration{8 * ms, 8 * ms, 8 * ms}, 32 * ms},
		{"the median", []time.Duration{3 * ms, 10 * ms, 5 * ms}, 20 * ms},
		{"wherever it stands", []time.Duration{5 * ms, 3 * ms, 10 * ms}, 20 * ms},
		{"all slow", []time.Duration{time.Second, time.Second, time.Second}, 60 * ms},
		{"one slow", []time.Duration{ms, ms, time.Second}, 10 * ms},
		{"one quick", []time.Duration{8 * ms, 8 * ms, 0}, 32 * ms},
	} {
		require.InDelta(t, c.want, usually(c.took...).late(), float64(ms)/2, c.name)
	}
}

// TestOneNodeCannotRaiseTheHedge above what the slower of the other two makes of
// it, nor lower it below what the quicker does, whatever it answers.
func TestOneNodeCannotRaiseTheHedge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(100*time.Millisecond)).Draw(t, "took"))
		})
		a, b := took.Draw(t, "a"), took.Draw(t, "b")
		odd := rapid.IntRange(0, placement.Nodes-1).Draw(t, "odd")
		all := []time.Duration{a, b}
		all = append(all[:min(odd, 2)], append([]time.Duration{0}, all[min(odd, 2):]...)...)
		l := usually(all...)
		least, most := usually(a, a, a).late(), usually(b, b, b).late()
		if most < least {
			least, most = most, least
		}
		for range 50 {
			l.observe(odd, time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "answer")))
			late := l.late()
			require.GreaterOrEqual(t, late, least)
			require.LessOrEqual(t, late, most)
			require.GreaterOrEqual(t, late, 10*time.Millisecond)
			require.LessOrEqual(t, late, 60*time.Millisecond)
		}
	})
}

// TestHedgeAdapts: when the nodes get slower or quicker it follows within some
// dozen answers of each.
func TestHedgeAdapts(t *testing.T) {
	const ms = time.Millisecond
	l := usually(ms, ms, ms)
	for _, took := range []time.Duration{12 * ms, 4 * ms} {
		for range 64 {
			for node := range placement.Nodes {
				l.observe(node, took)
			}
		}
		require.InDelta(t, hedgeFactor*took, l.late(), float64(hedgeFactor*ms)/2)
	}
}
