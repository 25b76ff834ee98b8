package nemesis

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	leastRate = 100 // answers a second, over any ten seconds
	smoke     = 15 * time.Second
)

// TestNemesis is the run that make nemesis starts. With a planted bug it must
// find something; else nothing.
func TestNemesis(t *testing.T) {
	if os.Getenv("DYAD_NEMESIS") == "" {
		t.Skip("takes minutes and a machine of its own: run it with make nemesis")
	}
	o := Options{Seed: seed(t), Duration: duration(t), Clients: 32, PerSecond: 25, Dir: t.ArtifactDir()}
	planted := os.Getenv("DYAD_PLANT")
	if planted != "" {
		sow(t, planted)
	}
	report := Run(t, o)
	if planted != "" {
		require.NotEmpty(t, report.Findings, "the planted bug %q was not found in %v", planted, report.Took)
		t.Logf("the planted bug %q was found within %v", planted, report.Took.Round(time.Second))
		return
	}
	good(t, report)
	assert.GreaterOrEqual(t, report.Lowest, float64(leastRate), "answers a second in the worst %d s", window)
}

// TestSmoke is a short and tame run, for any machine: how fast it goes is not
// judged.
func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a cluster")
	}
	good(t, Run(t, Options{Seed: 1, Duration: smoke, Clients: 8, PerSecond: 25, Tame: true, Dir: t.ArtifactDir()}))
}

func good(t *testing.T, r Report) {
	t.Helper()
	for _, finding := range r.Findings {
		t.Error(finding)
	}
	assert.NotZero(t, r.Judged.Operations)
	assert.NotEmpty(t, r.Faults)
	for kind, e := range r.Calls {
		assert.NotZero(t, e.Done, kind)
	}
	assert.Len(t, r.Calls, 4)
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("DYAD_SEED")
	if text == "" {
		return rand.Uint64N(1e9)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "SEED is a whole number")
	return n
}

func duration(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("DYAD_DURATION")
	if text == "" {
		return 10 * time.Minute
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "DURATION is a time such as 90s, 10m or 1h")
	return d
}
