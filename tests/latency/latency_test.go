package latency_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

// TestLatency is the suite. It needs a machine without other work.
func TestLatency(t *testing.T) {
	if os.Getenv("DYAD_LATENCY") == "" {
		t.Skip("takes half a minute and a quiet machine: run it with make latency, or DYAD_LATENCY=1 go test -v ./tests/latency/")
	}
	o := latency.Options{
		Clients:   32,
		PerSecond: float64(number(t, "DYAD_RATE", 50)),
		Limit:     250 * time.Millisecond,
		Healthy:   5 * time.Second,
		Whole:     2 * time.Minute,
	}
	victims := []int{1}
	if os.Getenv("DYAD_LATENCY_ALL") != "" {
		victims = []int{1, 0, 2}
	}
	c := latency.StartCluster(t, 1)
	load := latency.Start(t, c, o)
	for _, i := range victims {
		load.Suffer(latency.Fault{
			Victim: c.Name(i), What: "killed", Away: time.Duration(number(t, "DYAD_WAIT", 10)) * time.Second,
			Do: c.Programs[i].Kill, Undo: c.Programs[i].Start,
		})
	}
	outcome := load.Finish()
	t.Logf("%d clients, each at most %.0f requests/s in a closed loop, on the servers' own processors; no request may take over %v:\n%s",
		o.Clients, o.PerSecond, o.Limit, outcome)

	for _, problem := range outcome.Problems {
		t.Error(problem)
	}
	failed := 0
	for _, row := range outcome.Rows {
		failed += row.Failed
		assert.NotZero(t, row.Requests, row.Phase)
		assert.Zero(t, row.Failed, "failed requests: %s (other programs used %.0f %% of the machine)", row.Phase, 100*row.Others)
		assert.Zero(t, row.Wrong, "wrong answers: %s", row.Phase)
		assert.Zero(t, row.Late, "requests over %v: %s (other programs used %.0f %% of the machine)", o.Limit, row.Phase, 100*row.Others)
	}
	for _, outage := range outcome.Outages {
		assert.NotZero(t, outage.HintsHeight, "an outage under load must leave hints: %s", outage.Victim)
		assert.Zero(t, outage.HintsAfter, outage.Victim)
	}
	assert.Zero(t, outcome.Different)
	if failed == 0 { // else users may exist whose creation was not acknowledged
		assert.EqualValues(t, 2*outcome.Existing, outcome.Records, "each user must be on both of its data replicas, and nothing else")
	}
}

// number reads a whole number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "%s must be a whole number", name)
	require.Positive(t, n, "%s must be positive", name)
	return n
}
