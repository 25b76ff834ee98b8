package sim_test

import (
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/sim"
)

var (
	seedFlag     = flag.Uint64("sim.seed", 0, "replay this one seed with a trace")
	seedsFlag    = flag.Uint64("sim.seeds", 20_000, "how many fresh seeds to run")
	durationFlag = flag.Duration("sim.duration", 0, "run fresh seeds for this long instead")
	countFlag    = flag.Bool("sim.count", false, "go on after a bad seed and count them")
	baseFlag     = flag.Uint64("sim.base", 0, "first seed; 0 draws one")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // runs are short and leave nothing behind
	os.Exit(m.Run())
}

// TestSim runs seeds that nobody ran before, or replays one.
func TestSim(t *testing.T) {
	if *seedFlag != 0 {
		r := sim.Run(*seedFlag, os.Stdout)
		report(t, r)
		return
	}
	base := *baseFlag
	if base == 0 {
		base = freshSeed()
	}
	start := time.Now()
	sum := runSeeds(t, base)
	t.Logf("seeds %d to %d: %d runs in %v, %.0f a second, %d bad; operations: %d with a known outcome, %d unknown, %d without a quorum, %d without room; %d events",
		base, base+sum.runs-1, sum.runs, time.Since(start).Round(time.Millisecond), float64(sum.runs)/time.Since(start).Seconds(), sum.bad,
		sum.operations, sum.unknown, sum.failed, sum.noSpace, sum.events)
}

func freshSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 16
}

type totals struct{ runs, bad, operations, unknown, failed, noSpace, events uint64 }

// runSeeds runs seeds from base on until the flags say so, or one fails.
func runSeeds(t *testing.T, base uint64) totals {
	var next, stop atomic.Uint64
	var mu sync.Mutex
	var sum totals
	deadline := time.Now().Add(*durationFlag)
	more := func(i uint64) bool {
		if *durationFlag > 0 {
			return time.Now().Before(deadline)
		}
		return i < *seedsFlag
	}
	var wg sync.WaitGroup
	for range parallelism() {
		wg.Go(func() {
			for stop.Load() == 0 {
				i := next.Add(1) - 1
				if !more(i) {
					return
				}
				r := sim.Run(base+i, nil)
				mu.Lock()
				sum.runs++
				sum.operations += uint64(r.Operations)
				sum.unknown += uint64(r.Unknown)
				sum.failed += uint64(r.Failed)
				sum.noSpace += uint64(r.NoSpace)
				sum.events += uint64(r.Events)
				if len(r.Violations) > 0 {
					sum.bad++
					if *countFlag || stop.Load() == 0 {
						report(t, r)
					}
					if !*countFlag {
						stop.Store(1)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum
}

func report(t *testing.T, r sim.Result) {
	t.Helper()
	if len(r.Violations) == 0 {
		fmt.Printf("seed %d is good: %d operations, %d unknown, %d failed\n", r.Seed, r.Operations, r.Unknown, r.Failed)
		return
	}
	t.Errorf("seed %d is bad; replay with -run TestSim -sim.seed=%d:\n  %s", r.Seed, r.Seed, strings.Join(r.Violations, "\n  "))
}

// A seed is worth nothing unless it replays.
func TestSameSeedSameRun(t *testing.T) {
	base := freshSeed()
	for seed := base; seed < base+50; seed++ {
		var one, two strings.Builder
		first, second := sim.Run(seed, &one), sim.Run(seed, &two)
		require.Equal(t, first, second, "seed %d", seed)
		require.Equal(t, one.String(), two.String(), "seed %d", seed)
		require.Equal(t, first, sim.Run(seed, nil), "seed %d runs otherwise without a trace", seed)
	}
}

func parallelism() int { return runtime.GOMAXPROCS(0) }
