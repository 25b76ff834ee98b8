package drills

import (
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/audit"
	"github.com/dyad-db/dyad/tests/latency"
)

// TestComposeStopStart is docker-compose stop db-1, a wait, docker-compose start
// db-1, under load: no request fails, and then the nodes themselves show that
// db-1 holds every record that it should, at the newest ballot, and that no
// hint is left.
func TestComposeStopStart(t *testing.T) {
	if os.Getenv("DYAD_DRILL") == "" {
		t.Skip("needs Docker and the images: run it with make drill")
	}
	away, err := strconv.Atoi(os.Getenv("DYAD_WAIT"))
	require.NoError(t, err, "DYAD_WAIT is the number of seconds that db-1 stays away")
	c := startCompose(t)
	awaitReady(t)
	outcome := latency.Run(t, c, latency.Options{
		Clients:   16,
		PerSecond: 25,
		Limit:     250 * time.Millisecond,
		Healthy:   3 * time.Second,
		Away:      time.Duration(away) * time.Second,
		Victims:   []int{1},
	})
	t.Logf("docker-compose stop db-1; sleep %d; docker-compose start db-1, with 16 clients at 25 requests/s each:\n%s", away, outcome)
	for _, problem := range outcome.Problems {
		t.Error(problem)
	}
	for _, row := range outcome.Rows {
		assert.NotZero(t, row.Requests, row.Phase)
		assert.Zero(t, row.Failed, "failed requests: %s", row.Phase)
		assert.Zero(t, row.Wrong, "wrong answers: %s", row.Phase)
	}
	assert.NotZero(t, outcome.Outages[0].HintsHeight, "an outage under load must leave hints")
	assert.Zero(t, outcome.Outages[0].HintsAfter)
	assert.Zero(t, outcome.Different)

	report, err := audit.Audit(t.Context(), nodeURLs(), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, outcome.Existing, report.Records, "every user, and nothing else")
	assert.Zero(t, report.Hints)
	t.Log("from the nodes themselves: ", report)
}

// awaitReady waits until the gateway serves, as a person would who tries again.
func awaitReady(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-ticker.C {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gatewayURL+"/readyz", http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		require.NoError(t, response.Body.Close())
		if response.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("the gateway was not ready within a minute")
}
