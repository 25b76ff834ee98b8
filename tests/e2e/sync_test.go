package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/restclient"
)

// failSyncs makes syncs of a process fail, where this machine allows it.
func failSyncs(t *testing.T, pid int, when string) {
	t.Helper()
	if err := faults.FailSyncs(t, pid, when); err != nil {
		t.Skip(err)
	}
}

// testFailedSync makes the n-th sync of a thread of a node fail: the node stops
// answering and ends, with words that tell why; the others go on, and nothing that
// was acknowledged is missing, neither without the node nor with it.
func testFailedSync(t *testing.T, p *processes, nth int) {
	const writes = 400
	client := restclient.New(patience, p.url)
	defer client.Close()
	failSyncs(t, p.node[1].PID(), strconv.Itoa(nth))
	var mu sync.Mutex
	acknowledged := map[string]restclient.User{}
	share(writes, many(clients, client), func(i int, client *restclient.Client) {
		u := restclient.User{ID: fmt.Sprint("u-", i), Name: "N", Email: "n@example.com", Group: i}
		if r := client.Create(t.Context(), u); r.Outcome == restclient.OK {
			mu.Lock()
			defer mu.Unlock()
			acknowledged[u.ID] = u
		}
	})
	p.awaitFailed(t, 1)
	require.NotEmpty(t, acknowledged)
	all := func() (ids []string) {
		for i := range writes {
			id := fmt.Sprint("u-", i)
			r := p.settle(t, client, id)
			if u, ok := acknowledged[id]; ok {
				require.Equal(t, &u, r.User, r)
			}
			if r.User != nil {
				ids = append(ids, id)
			}
		}
		return ids
	}
	all()
	p.node[1].Start()
	p.awaitReady()
	ids := all()
	t.Logf("sync %d failed: %d of %d acknowledged, %d there", nth, len(acknowledged), writes, len(ids))
	auditAtRest(t, p.url, p.urls, ids)
}

// testNoSync: with one node away and no sync of another succeeding, no write has
// two nodes that hold it for good, and none is acknowledged.
func testNoSync(t *testing.T, p *processes) {
	client := restclient.New(patience, p.url)
	defer client.Close()
	p.node[2].Stop()
	user := func(i int) restclient.User {
		return restclient.User{ID: fmt.Sprint("u-", i), Name: "N", Email: "n@example.com", Group: i}
	}
	first := user(0)
	await(t, "two nodes take a write", func() (bool, any) {
		r := client.Create(t.Context(), first)
		return r.Outcome == restclient.OK || r.Outcome == restclient.Exists, r
	})
	failSyncs(t, p.node[1].PID(), "1+")
	for i := range 20 {
		r := client.Create(t.Context(), user(1+i))
		require.Contains(t, []restclient.Outcome{restclient.Unavailable, restclient.Unknown}, r.Outcome, r)
	}
	p.awaitFailed(t, 1)
	p.node[1].Start()
	p.node[2].Start()
	p.awaitReady()
	r := p.settle(t, client, first.ID)
	require.Equal(t, &first, r.User)
}

// awaitFailed waits until a node has ended because of its disk.
func (p *processes) awaitFailed(t *testing.T, node int) {
	t.Helper()
	err := p.node[node].WaitEnd()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	log := p.node[node].Log()
	require.Contains(t, log, "the store failed")
	require.Contains(t, log, "Input/output error")
	require.Equal(t, 1, strings.Count(log, "an earlier write or sync failed"), "said once: %s", log)
}
