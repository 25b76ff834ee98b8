package sim_test

import (
	"flag"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/sim"
)

// seeds is how many TestSim runs: a look at each change. make sim explores.
const seeds = 4000

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(2000) // runs are short and leave nothing behind
	os.Exit(m.Run())
}

// TestSim runs seeds that nobody ran before.
func TestSim(t *testing.T) {
	totals := sim.Explore(sim.Plan{Base: sim.FreshSeed(), Runs: seeds}, func(r sim.Result) {
		t.Errorf("seed %d is bad; replay it with make sim SEED=%d\n  %s", r.Seed, r.Seed, strings.Join(r.Violations, "\n  "))
	}, func(sim.Totals) {})
	var report strings.Builder
	totals.Report(&report)
	t.Log(report.String())
}

// A seed is worth nothing unless it replays.
func TestSameSeedSameRun(t *testing.T) {
	base := sim.FreshSeed()
	for seed := base; seed < base+50; seed++ {
		var one, two strings.Builder
		first, second := sim.Run(seed, &one), sim.Run(seed, &two)
		require.Equal(t, first, second, "seed %d", seed)
		require.Equal(t, one.String(), two.String(), "seed %d", seed)
		require.Equal(t, first, sim.Run(seed, nil), "seed %d runs otherwise without a trace", seed)
	}
}
