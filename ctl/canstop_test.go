package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/wire"
)

func TestCanStop(t *testing.T) {
	ask := func(s wire.ClusterStatus, id string) result {
		return dyad(t, "status", "--can-stop", id, "--gateway", answering(t, http.StatusOK, s))
	}
	require.Equal(t, result{stdout: "db-1 can be stopped: db-0 and db-2 serve every user without it\n"}, ask(cluster(), "db-1"))
	require.Equal(t, result{stdout: "db-1 is down already: db-0 and db-2 serve every user without it\n"}, ask(cluster("db-1"), "db-1"))
	require.Equal(t, result{code: 1, stdout: "db-1 must not be stopped now: db-2 is down: dial tcp: connection refused\n"}, ask(cluster("db-2"), "db-1"))
	require.Equal(t, result{code: 2, stderr: "dyad: \"db-3\" is no node of this cluster, which has db-0, db-1, db-2\n"}, ask(cluster(), "db-3"))
	require.Equal(t, 2, ask(cluster(), "").code, "an empty name is no node")

	r := dyad(t, "status", "--can-stop", "db-1", "--gateway", "http://127.0.0.1:1")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "the gateway at http://127.0.0.1:1 can't be asked")
	r = dyad(t, "status", "--can-stop", "db-1", "--json")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "[can-stop json]")
}

// TestCanStopOfARealCluster: with one node away only that one may be stopped.
func TestCanStopOfARealCluster(t *testing.T) {
	c, err := local.Start(local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	code := func(id string) int { return dyad(t, "status", "--can-stop", id, "--gateway", c.Gateway(0)).code }
	require.Zero(t, code("db-0"))
	require.NoError(t, c.Stop(2))
	require.Equal(t, 1, code("db-0"))
	require.Zero(t, code("db-2"))
}
