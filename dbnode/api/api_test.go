package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/dbnode/api"
	"github.com/dyad-db/dyad/dbnode/api/mocks"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// acceptors is an api.Acceptors as a function.
type acceptors func(requests []register.Request, done func([]register.Reply))

// Serve satisfies api.Acceptors.
func (a acceptors) Serve(requests []register.Request, done func([]register.Reply)) { a(requests, done) }

// untouched fails the test when a request gets as far as the acceptors.
func untouched(t *testing.T) acceptors {
	return func(_ []register.Request, done func([]register.Reply)) {
		t.Error("the acceptors were asked")
		done(nil)
	}
}

// yes answers each request with its key's length as epoch.
func yes(requests []register.Request, done func([]register.Reply)) {
	replies := make([]register.Reply, len(requests))
	for i, q := range requests {
		replies[i] = register.Reply{Verdict: register.VerdictYes, Epoch: uint64(len(q.Key))}
	}
	done(replies)
}

func handler(t *testing.T, a acceptors) (*api.Handler, *mocks.Operator) {
	t.Helper()
	operator := mocks.NewOperator(t)
	return api.New(api.Config{
		NodeID: "db-1", Partitions: 64, Acceptors: a, Operator: operator, Logger: slog.New(slog.DiscardHandler),
	}), operator
}

func serve(h http.Handler, method, target string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, target, body))
	return w
}

func TestHealth(t *testing.T) {
	h, operator := handler(t, untouched(t))
	require.Equal(t, http.StatusOK, serve(h, http.MethodGet, wire.PathLive, nil).Code)
	well, waits := wire.Check{Name: "store"}, wire.Check{Name: "admitted", Problem: "waiting for db-2"}
	for _, c := range []struct {
		checks []wire.Check
		query  string
		code   int
		body   string
	}{
		{[]wire.Check{well}, "", http.StatusOK, "ready\n"},
		{[]wire.Check{well}, "?verbose", http.StatusOK, "[+] store ok\nready\n"},
		{[]wire.Check{well, waits}, "", http.StatusServiceUnavailable, "not ready: waiting for db-2\n"},
		{[]wire.Check{well, waits}, "?verbose=1", http.StatusServiceUnavailable, "[+] store ok\n[-] admitted: waiting for db-2\nnot ready\n"},
	} {
		operator.EXPECT().Ready().Return(c.checks).Once()
		w := serve(h, http.MethodGet, wire.PathReady+c.query, nil)
		require.Equal(t, c.code, w.Code)
		require.Equal(t, c.body, w.Body.String())
	}
}

func TestOperations(t *testing.T) {
	broken := errors.New("the disk is on fire")
	query := wire.RecordsQuery{Partition: 5, After: "ada", Limit: 2}
	records := wire.PathRecords + "?" + query.Values().Encode()
	lines := []wire.RecordLine{{Key: "bob", Ballot: wire.BallotJSON{Time: 7, Proposer: 1}}, {Key: "cy", Tombstone: true}}
	for _, c := range []struct {
		name, method, target string
		expect               func(*mocks.Operator, error)
		body                 string
	}{
		{
			"status", http.MethodGet, wire.PathStatus,
			func(o *mocks.Operator, err error) { o.EXPECT().Status().Return(wire.NodeStatus{ID: "db-1"}, err) },
			`"id":"db-1"`,
		},
		{
			"compact", http.MethodPost, wire.PathCompact,
			func(o *mocks.Operator, err error) { o.EXPECT().Compact().Return(err) },
			"compacted\n",
		},
		{
			"records", http.MethodGet, records,
			func(o *mocks.Operator, err error) { o.EXPECT().Records(query).Return(lines, err) },
			`{"key":"bob","ballot":{"time":7,"proposer":"1"},"tombstone":false,"crc32c":0}` + "\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, operator := handler(t, untouched(t))
			c.expect(operator, nil)
			w := serve(h, c.method, c.target, nil)
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), c.body)

			h, operator = handler(t, untouched(t))
			c.expect(operator, broken)
			w = serve(h, c.method, c.target, nil)
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.Contains(t, w.Body.String(), broken.Error())
		})
	}
}

func TestARecordsPageAnnouncesItsLength(t *testing.T) {
	h, operator := handler(t, untouched(t))
	operator.EXPECT().Records(wire.RecordsQuery{Partition: 63, Limit: wire.MaxRecordLines}).Return(nil, nil)
	w := serve(h, http.MethodGet, wire.PathRecords+"?partition=63", nil)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "0", w.Header().Get("Content-Length"), "so that a page cut short shows")
	require.Equal(t, wire.RecordsType, w.Header().Get("Content-Type"))
	for _, query := range []string{"", "?partition=64", "?partition=1&limit=10001"} {
		w = serve(h, http.MethodGet, wire.PathRecords+query, nil)
		require.Equal(t, http.StatusBadRequest, w.Code, query)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	h, _ := handler(t, untouched(t))
	for request, want := range map[string]int{
		"GET /":                      http.StatusNotFound,
		"POST " + wire.PathStream:    http.StatusMethodNotAllowed,
		"GET " + wire.PathCompact:    http.StatusMethodNotAllowed,
		"POST " + wire.PathStatus:    http.StatusMethodNotAllowed,
		"DELETE " + wire.PathRecords: http.StatusMethodNotAllowed,
	} {
		method, target, _ := strings.Cut(request, " ")
		require.Equal(t, want, serve(h, method, target, nil).Code, request)
	}
}
