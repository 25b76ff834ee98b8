// Command sim explores fresh seeds of the simulator and reports what they met, or
// replays one seed with a trace. It exits 0 only if no seed was bad.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dyad-db/dyad/tests/sim"
)

func main() {
	seed := flag.Uint64("seed", 0, "replay this seed and print its trace")
	duration := flag.Duration("duration", 2*time.Minute, "explore fresh seeds for so long")
	runs := flag.Uint64("runs", 0, "explore so many instead")
	base := flag.Uint64("base", 0, "the first seed to explore; 0 draws one")
	all := flag.Bool("all", false, "go on after a bad seed")
	flag.Parse()
	debug.SetGCPercent(2000) // runs are short and leave nothing behind
	if *seed != 0 {
		os.Exit(replay(*seed))
	}
	plan := sim.Plan{Base: *base, Duration: *duration, All: *all}
	if *runs > 0 {
		plan.Runs, plan.Duration = *runs, 0
	}
	if plan.Base == 0 {
		plan.Base = sim.FreshSeed()
	}
	os.Exit(explore(plan))
}

// replay makes one run over again.
func replay(seed uint64) int {
	r := sim.Run(seed, os.Stdout)
	if len(r.Violations) > 0 {
		report(r)
		return 1
	}
	fmt.Printf("seed %d is good: %d operations with a known outcome, %d unknown, %d without a quorum, %d without room\n",
		r.Seed, r.Operations, r.Unknown, r.Failed, r.NoSpace)
	return 0
}

func explore(plan sim.Plan) int {
	progress := func(sim.Totals) {}
	terminal := isTerminal(os.Stderr)
	if terminal {
		progress = func(t sim.Totals) {
			fmt.Fprintf(os.Stderr, "\r%v: %d runs, %d bad, %d operations ", t.Took.Round(time.Second), t.Runs, t.Bad, t.Sum.Operations)
		}
	}
	totals := sim.Explore(plan, report, progress)
	if terminal {
		fmt.Fprintln(os.Stderr)
	}
	totals.Report(os.Stdout)
	if totals.Bad > 0 {
		fmt.Printf("seed %d is bad, found after %d runs\n", totals.First.Seed, totals.Runs)
		return 1
	}
	return 0
}

func report(r sim.Result) {
	fmt.Printf("seed %d is bad; replay it with make sim SEED=%d\n  %s\n", r.Seed, r.Seed, strings.Join(r.Violations, "\n  "))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
