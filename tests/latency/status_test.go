package latency

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/wire"
)

func TestReadStatus(t *testing.T) {
	hints := wire.HintHolding{For: []string{"db-1"}, Holding: wire.Holding{Records: 3, Tombstones: 2}}
	cluster := wire.ClusterStatus{Nodes: []wire.NodeReport{
		{ID: "db-0", Up: true, Status: &wire.NodeStatus{Serving: true, DiskBytes: 7, Data: wire.Holding{Records: 10, Tombstones: 4}, Hints: []wire.HintHolding{hints}}},
		{ID: "db-1", Error: "refused"},
		{ID: "db-2", Up: true, Status: &wire.NodeStatus{Serving: true, Life: wire.Life{Joining: true}, Data: wire.Holding{Records: 7}, Hints: []wire.HintHolding{hints}}},
	}}
	cluster.Judge()
	body, err := json.Marshal(cluster)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/status", r.URL.Path)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	got, err := ReadStatus(t.Context(), server.URL)
	require.NoError(t, err)
	assert.Equal(t, Status{
		Missing: "db-0 holds 5 hints for db-1; db-1 is down: refused; db-2 is being rebuilt; db-2 holds 5 hints for db-1",
		Hints:   10, Records: 17, Tombstones: 4, Disk: 7, Silent: []string{"db-2"}, Down: []string{"db-1"}, Ill: []string{"db-1 down", "db-2 joining"},
	}, got)
}

func TestAwaitStatus(t *testing.T) {
	var asked atomic.Int32
	serve := func(whole func() bool) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"whole":%v}`, whole())
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	never, soon := serve(func() bool { return false }), serve(func() bool { return asked.Add(1) > 2 })
	isWhole := func(s Status) bool { return s.Whole }
	s, err := AwaitStatus(t.Context(), []string{soon, soon}, time.Minute, isWhole)
	require.NoError(t, err)
	assert.True(t, s.Whole)
	_, err = AwaitStatus(t.Context(), []string{soon, never}, time.Millisecond, isWhole)
	assert.ErrorContains(t, err, never+" says")
	_, err = AwaitStatus(t.Context(), []string{soon, "http://127.0.0.1:1"}, time.Millisecond, isWhole)
	assert.ErrorContains(t, err, "ask the gateway")
}

func TestReadStatusRefusesNonsense(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>")
	}))
	defer server.Close()
	_, err := ReadStatus(t.Context(), server.URL)
	assert.ErrorContains(t, err, "502 Bad Gateway")
	server.Close()
	_, err = ReadStatus(t.Context(), server.URL)
	assert.ErrorContains(t, err, "ask the gateway")
}
