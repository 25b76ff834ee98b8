package drills

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
)

// services of docker-compose, nodes first.
func services() []string { return []string{"db-0", "db-1", "db-2", "gateway", "gateway-2"} }

// probes is how many users are read, and how many created, through each gateway
// in each case: enough for every group of nodes.
const probes = 12

// drillMatrix stops and starts every service: each alone, each pair, all. What
// is available meanwhile is compared with the promise in the README.
func drillMatrix(t *testing.T, _ sizes) {
	c := startCompose(t)
	awaitReady(t, gatewayURLs()...)
	m := &matrix{T: t, c: c, users: map[string]restclient.User{}}
	for i, url := range gatewayURLs() {
		m.clients = append(m.clients, restclient.New(patience, url))
		t.Cleanup(m.clients[i].Close)
	}
	m.probe("nothing", nil)
	all := services()
	for i, one := range all {
		m.stopped(one)
		for _, other := range all[i+1:] {
			m.stopped(one, other)
		}
	}
	m.stopped(all...)
	m.whole()
	m.readAll()
	var ids []string
	for id := range m.users {
		ids = append(ids, id)
	}
	t.Logf("what was available, of %d reads and %d creates through each gateway:\n%s", probes, probes, strings.Join(m.lines, "\n"))
	atRest(t, nodeURLs(), ids)
}

type matrix struct {
	*testing.T
	c       *compose
	clients []*restclient.Client // one of each gateway
	users   map[string]restclient.User
	lines   []string
	made    int
}

func (m *matrix) stopped(names ...string) {
	m.Helper()
	m.c.run(m.T, append([]string{"stop"}, names...)...)
	m.probe(strings.Join(names, " and "), names)
	m.c.run(m.T, append([]string{"start"}, names...)...)
	m.whole()
	m.readAll()
}

// promised is what the README says. With fewer than two nodes every request is
// refused; a gateway that is stopped can't be reached; all else is carried out.
func promised(gateway int, stopped []string) restclient.Outcome {
	nodes := 0
	for _, name := range services()[:placement.Nodes] {
		if !slices.Contains(stopped, name) {
			nodes++
		}
	}
	if nodes < 2 || slices.Contains(stopped, services()[placement.Nodes+gateway]) {
		return restclient.Unavailable
	}
	return restclient.OK
}

// probe reads and creates users through each gateway.
func (m *matrix) probe(stopped string, names []string) {
	m.Helper()
	line := fmt.Sprintf("%-40s", stopped)
	known := make([]restclient.User, 0, probes)
	for _, u := range m.users {
		if len(known) < probes {
			known = append(known, u)
		}
	}
	for g, client := range m.clients {
		want := promised(g, names)
		for _, u := range known {
			r := client.Get(m.Context(), u.ID)
			require.Equal(m, want, r.Outcome, "read with %s stopped, through %s: %s", stopped, services()[placement.Nodes+g], r)
			if want == restclient.OK {
				require.Equal(m, u, *r.User)
			}
		}
		status := 0
		for range probes {
			m.made++
			u := restclient.User{ID: fmt.Sprint("user-", m.made), Name: "N", Email: "n@example.com", Group: m.made}
			r := client.Create(m.Context(), u)
			require.Equal(m, want, r.Outcome, "create with %s stopped, through %s: %s", stopped, services()[placement.Nodes+g], r)
			status = r.Status
			if want == restclient.OK {
				m.users[u.ID] = u
			}
		}
		says := map[int]string{201: "reads and writes", 503: "503", 0: "no connection"}[status]
		line += fmt.Sprintf("  %s: %-16s", services()[placement.Nodes+g], says)
	}
	m.lines = append(m.lines, line)
}

func (m *matrix) whole() {
	m.Helper()
	awaitReady(m.T, gatewayURLs()...)
	for limit := time.Now().Add(wholeBound); ; {
		whole := 0
		var last []any
		for _, gateway := range gatewayURLs() {
			s, err := latency.ReadStatus(m.Context(), gateway)
			if err == nil && s.Whole {
				whole++
			}
			last = append(last, s, err)
		}
		if whole == len(m.clients) {
			return
		}
		require.True(m, time.Now().Before(limit), "not whole within %v: %+v", wholeBound, last)
		time.Sleep(pollEvery)
	}
}

// readAll reads every user back.
func (m *matrix) readAll() {
	m.Helper()
	for id, u := range m.users {
		r := m.clients[0].Get(m.Context(), id)
		require.Equal(m, restclient.OK, r.Outcome, "%s: %s", id, r)
		require.Equal(m, u, *r.User)
	}
}
