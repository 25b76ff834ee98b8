package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/wire"
)

// cluster returns the status of three nodes; those named in down don't answer.
func cluster(down ...string) wire.ClusterStatus {
	var s wire.ClusterStatus
	for i, id := range []string{"db-0", "db-1", "db-2"} {
		report := wire.NodeReport{ID: id, Up: true, Status: &wire.NodeStatus{
			ID: id, Life: wire.Life{Incarnation: 1, Boots: uint64(i + 1)}, Serving: true, DiskBytes: 25_000, Data: wire.Holding{Records: 1234},
		}}
		for _, d := range down {
			if d == id {
				report = wire.NodeReport{ID: id, Error: "dial tcp: connection refused"}
			}
		}
		s.Nodes = append(s.Nodes, report)
	}
	s.Judge()
	return s
}

// answering returns the URL of a server that gives this answer to GET /status.
func answering(t *testing.T, code int, answer any) string {
	t.Helper()
	body, err := json.Marshal(answer)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write(body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestStatusWhole(t *testing.T) {
	want := result{stdout: `NODE  STATE  RECORDS  TOMBSTONES  HINTS  ANTI-ENTROPY  SCRUB  DISK     INCARNATION  BOOTS
db-0  up     1,234    0           none   never         never  25.0 kB  1            1
db-1  up     1,234    0           none   never         never  25.0 kB  1            2
db-2  up     1,234    0           none   never         never  25.0 kB  1            3
whole
`}
	url := answering(t, http.StatusOK, cluster())
	require.Equal(t, want, dyad(t, "status", "--gateway", url))
	require.Equal(t, want, dyad(t, "status", "--gateway", url+"/"))
}

func TestStatusOneDown(t *testing.T) {
	r := dyad(t, "status", "--gateway", answering(t, http.StatusOK, cluster("db-1")))
	require.Equal(t, result{code: 1, stdout: `NODE  STATE                     RECORDS  TOMBSTONES  HINTS  ANTI-ENTROPY  SCRUB  DISK     INCARNATION  BOOTS
db-0  up                        1,234    0           none   never         never  25.0 kB  1            1
db-1  down: connection refused  -        -           -      -             -      -        -            -
db-2  up                        1,234    0           none   never         never  25.0 kB  1            3
db-1 is down: dial tcp: connection refused
`}, r)
}

func TestStatusAsJSON(t *testing.T) {
	for code, want := range []wire.ClusterStatus{cluster(), cluster("db-2")} {
		r := dyad(t, "status", "--json", "--gateway", answering(t, http.StatusOK, want))
		require.Equal(t, code, r.code)
		var got wire.ClusterStatus
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
		require.Equal(t, want.Missing, got.Missing)
		require.Len(t, got.Nodes, 3)
		require.Contains(t, r.stdout, "\n\t\"whole\": ", "indented")
	}
}

func TestStatusGatewayFromTheEnvironment(t *testing.T) {
	url := answering(t, http.StatusOK, cluster())
	t.Setenv("DYAD_GATEWAY", url)
	require.Zero(t, dyad(t, "status").code)
	t.Setenv("DYAD_GATEWAY", "http://127.0.0.1:1")
	require.Equal(t, 2, dyad(t, "status").code)
	require.Zero(t, dyad(t, "status", "--gateway", url).code, "the flag comes first")
}

func TestStatusUnreachable(t *testing.T) {
	require.Equal(t, result{code: 2, stderr: `dyad: the gateway at http://127.0.0.1:1 can't be asked: ` +
		`Get "http://127.0.0.1:1/status": dial tcp 127.0.0.1:1: connect: connection refused
start a cluster with ` + "`dyad dev`" + `, or name a gateway that runs with --gateway or DYAD_GATEWAY
`}, dyad(t, "status", "--gateway", "http://127.0.0.1:1"))
}

func TestStatusFromSomethingElse(t *testing.T) {
	unjust := cluster("db-0")
	unjust.Whole = true
	for says, url := range map[string]string{
		"it lacks":                       answering(t, http.StatusOK, wire.ClusterStatus{Whole: true, Missing: []string{}}),
		"is no address of the form":      "127.0.0.1:8080",
		"it answers 404 Not Found":       answering(t, http.StatusOK, cluster()) + "/elsewhere",
		"it answers 500":                 answering(t, http.StatusInternalServerError, "broken\ndown"),
		"and not a node?":                answering(t, http.StatusOK, wire.NodeStatus{ID: "db-0"}),
		"is no status of a cluster":      answering(t, http.StatusOK, "hello"),
		"lacks what a gateway would say": answering(t, http.StatusOK, unjust),
	} {
		r := dyad(t, "status", "--gateway", url)
		require.Equal(t, 2, r.code, says)
		require.Empty(t, r.stdout, says)
		require.Contains(t, r.stderr, says)
	}
}

// lastLine returns the last line of what was printed.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// TestStatusOfARealCluster takes a node away, writes, and brings it back.
func TestStatusOfARealCluster(t *testing.T) {
	c, err := local.Start(local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	status := func() result { return dyad(t, "status", "--gateway", c.Gateway(0)) }

	r := status()
	require.Zero(t, r.code, r)
	require.Equal(t, "whole", lastLine(r.stdout))

	require.NoError(t, c.Stop(1))
	for i := range 50 {
		create(t, c.Gateway(0), fmt.Sprintf("away-%d", i))
	}
	r = status()
	require.Equal(t, 1, r.code)
	require.Regexp(t, `(?m)^db-1  down: connection refused `, r.stdout)
	require.Regexp(t, `(?m)^db-0  (up|slow) .* \d+ for db-1 `, r.stdout)
	require.Regexp(t, `(?m)^db-0 holds \d+ hints?, .*, the oldest .* old: to be delivered when db-1 is back$`, r.stdout)
	require.Contains(t, lastLine(r.stdout), "db-1 is down: ")
	require.Regexp(t, `db-2 holds \d+ hints? for db-1`, lastLine(r.stdout))

	require.NoError(t, c.Restart(1))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for r = status(); r.code != 0; r = status() {
		require.Equal(t, 1, r.code, r)
		require.NoError(t, ctx.Err(), "never whole again: %s", r.stdout)
	}
	require.Equal(t, "whole", lastLine(r.stdout))
}

// create creates a user and wants it to succeed.
func create(t *testing.T, gateway, id string) {
	t.Helper()
	body := fmt.Sprintf(`{"id":%q,"name":"Ada Lovelace","email":"ada@example.org","group":1}`, id)
	code, reply := call(t, http.MethodPost, gateway+"/api/users/", body)
	require.Equal(t, http.StatusCreated, code, reply)
}

// call makes a request, with a JSON body if there is one.
func call(t *testing.T, method, url, body string) (code int, reply string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, text.String()
}
