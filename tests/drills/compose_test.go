package drills

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

// drillCompose is docker-compose stop db-1, a wait, docker-compose start db-1,
// under load: no request fails, and then the nodes themselves show that db-1
// holds every record that it should, at the newest ballot, and that no hint is
// left.
func drillCompose(t *testing.T, s sizes) {
	c := startCompose(t)
	awaitReady(t, gatewayURLs()...)
	l := latency.Start(t, c, load(0))
	outage := l.Suffer(latency.Fault{
		Victim: "db-1", What: "stopped", Away: s.away(60),
		Do: func() { c.run(t, "stop", "db-1") }, Undo: func() { c.run(t, "start", "db-1") },
	})
	conclude(t, l, nodeURLs())
	assert.NotZero(t, outage.HintsHeight, "an outage under load must leave hints")
}

// awaitReady waits until these serve, as a person would who tries again.
func awaitReady(t *testing.T, urls ...string) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-ticker.C {
		if len(urls) == 0 {
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, urls[0]+"/readyz", http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		require.NoError(t, response.Body.Close())
		if response.StatusCode == http.StatusOK {
			urls = urls[1:]
		}
	}
	require.Empty(t, urls, "not ready within a minute")
}
