package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/gateway"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/audit"
	"github.com/dyad-db/dyad/tests/restclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen soon.
const patience = 30 * time.Second

// cluster is a local cluster that ends with its test.
type cluster struct {
	*local.Cluster
	t *testing.T
}

func start(t *testing.T, cfg local.Config) *cluster {
	t.Helper()
	running, err := local.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, running.Close()) })
	return &cluster{running, t}
}

// unhurried is a gateway that a slow machine doesn't make answer 503, for tests
// of what is answered rather than when.
func unhurried(cfg *gateway.Config) { cfg.Budget = 10 * time.Second }

// unhedged is one that doesn't take a slow machine for a slow node either: a
// third node is asked only for want of an answer.
func unhedged(cfg *gateway.Config) {
	cfg.Frame, cfg.Budget = 5*time.Second, 20*time.Second
	cfg.Hedge = drive.Hedge{Least: 5 * time.Second, Most: 5 * time.Second}
}

// client talks to the gateways with those numbers in turn; to the first if none
// is named.
func (c *cluster) client(gateways ...int) *restclient.Client {
	urls := []string{c.Gateway(0)}
	if len(gateways) > 0 {
		urls = nil
	}
	for _, i := range gateways {
		urls = append(urls, c.Gateway(i))
	}
	client := restclient.New(patience, urls...)
	c.t.Cleanup(client.Close)
	return client
}

// send makes one request of any form and returns the reply with its body read.
func send(t *testing.T, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply, body
}

// ask makes a request without a body.
func ask(t *testing.T, method, url string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	reply, body := send(t, request)
	return reply.StatusCode, body
}

// statusOf asks a gateway how the cluster is.
func statusOf(t *testing.T, gateway string) wire.ClusterStatus {
	t.Helper()
	status, body := ask(t, http.MethodGet, gateway+wire.PathStatus)
	require.Equal(t, http.StatusOK, status)
	var s wire.ClusterStatus
	require.NoError(t, json.Unmarshal(body, &s))
	return s
}

func (c *cluster) status(gateway int) wire.ClusterStatus {
	c.t.Helper()
	return statusOf(c.t, c.Gateway(gateway))
}

// nodes returns what each node says of itself; all must run.
func (c *cluster) nodes() [placement.Nodes]wire.NodeStatus {
	c.t.Helper()
	var all [placement.Nodes]wire.NodeStatus
	for i := range all {
		status, body := ask(c.t, http.MethodGet, c.Node(i)+wire.PathStatus)
		require.Equal(c.t, http.StatusOK, status)
		require.NoError(c.t, json.Unmarshal(body, &all[i]))
	}
	return all
}

// compact makes every node rewrite its store to its smallest form.
func (c *cluster) compact() {
	c.t.Helper()
	for i := range placement.Nodes {
		status, body := ask(c.t, http.MethodPost, c.Node(i)+wire.PathCompact)
		require.Equal(c.t, http.StatusOK, status, string(body))
	}
}

// awaitWhole waits until every node is up and no hint is left.
func (c *cluster) awaitWhole() {
	c.t.Helper()
	awaitWhole(c.t, c.Gateway(0))
}

// audit waits until the cluster is at rest, then proves from the nodes that they
// hold the users expected, each on its two data replicas and nowhere else.
func (c *cluster) audit(expected []string) audit.Report {
	c.t.Helper()
	urls := make([]string, placement.Nodes)
	for i := range urls {
		urls[i] = c.Node(i)
	}
	return auditAtRest(c.t, c.Gateway(0), urls, expected)
}

func (c *cluster) await(what string, done func() (ok bool, state any)) {
	c.t.Helper()
	await(c.t, what, done)
}

func awaitWhole(t *testing.T, gateway string) {
	t.Helper()
	await(t, "the cluster is whole", func() (bool, any) {
		s := statusOf(t, gateway)
		return s.Whole, s.Missing
	})
}

func auditAtRest(t *testing.T, gateway string, nodes, expected []string) audit.Report {
	t.Helper()
	var report audit.Report
	await(t, "no node holds a hint or a tombstone", func() (bool, any) {
		awaitWhole(t, gateway)
		var err error
		report, err = audit.Audit(t.Context(), nodes, expected)
		require.NoError(t, err)
		// A late message may have left a hint since, and a tombstone that is being
		// collected is on one node for a moment.
		return report.Hints == 0 && report.Tombstones == 0, report
	})
	require.NoError(t, report.Err())
	require.Equal(t, len(expected), report.Records)
	t.Log("audit:", report)
	return report
}

// await waits until done says so; state is shown if it never does.
func await(t *testing.T, what string, done func() (ok bool, state any)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, state := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Failf(t, "it did not happen", "that %s, within %v; last seen: %v", what, patience, state)
		}
	}
}

// size is how much of something a test does: little, unless the environment
// variable says how much.
func size(t *testing.T, variable string, small int) int {
	t.Helper()
	n := small
	if s := os.Getenv(variable); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err, "%s is a number", variable)
	}
	t.Logf("%s=%d", variable, n)
	return n
}

// onBothEngines runs a test over memory and over RocksDB.
func onBothEngines(t *testing.T, test func(t *testing.T, cfg local.Config)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, local.Config{}) })
	t.Run("rocksdb", func(t *testing.T) { test(t, local.Config{Dir: t.TempDir()}) })
}

// records returns what all nodes hold, in no order.
func (c *cluster) records() []wire.RecordLine {
	c.t.Helper()
	var all []wire.RecordLine
	for i := range placement.Nodes {
		for p := range placement.DefaultPartitions {
			q := wire.RecordsQuery{Partition: uint16(p), Limit: wire.MaxRecordLines}
			status, body := ask(c.t, http.MethodGet, c.Node(i)+wire.PathRecords+"?"+q.Values().Encode())
			require.Equal(c.t, http.StatusOK, status, string(body))
			lines, err := wire.ReadRecordLines(bytes.NewReader(body), q.Limit)
			require.NoError(c.t, err)
			all = append(all, lines...)
		}
	}
	return all
}
