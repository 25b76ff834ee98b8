package restclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

// patience is far more than any reply here needs.
const patience = time.Minute

var zoe = restclient.User{ID: "zoe", Name: "Zoë 𠮷", Email: "zoe@example.com", Group: 2147483647}

func TestEachOperation(t *testing.T) {
	c := restclient.New(patience, resttest.Start(t, &resttest.Gateway{})+"/")
	defer c.Close()
	ctx := t.Context()

	got := c.Get(ctx, zoe.ID)
	assert.Equal(t, restclient.NotFound, got.Outcome)
	assert.Equal(t, http.StatusNotFound, got.Problem.Status)

	created := c.Create(ctx, zoe)
	require.NoError(t, created.Err)
	assert.Equal(t, restclient.OK, created.Outcome)
	assert.Equal(t, zoe, *created.User)
	assert.Equal(t, restclient.Exists, c.Create(ctx, zoe).Outcome)

	zero := 0
	updated := c.Update(ctx, zoe.ID, restclient.Patch{Group: &zero})
	want := zoe
	want.Group = 0
	require.NoError(t, updated.Err)
	assert.Equal(t, want, *updated.User)
	assert.Equal(t, want, *c.Get(ctx, zoe.ID).User)

	gone := c.Delete(ctx, zoe.ID)
	require.NoError(t, gone.Err)
	assert.Equal(t, restclient.OK, gone.Outcome)
	assert.Nil(t, gone.User)
	assert.Equal(t, restclient.NotFound, c.Delete(ctx, zoe.ID).Outcome)
	assert.Equal(t, restclient.NotFound, c.Update(ctx, zoe.ID, restclient.Patch{}).Outcome)
}

// serve answers everything with handler and returns a client for it.
func serve(t *testing.T, timeout time.Duration, handler http.HandlerFunc) *restclient.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := restclient.New(timeout, server.URL)
	t.Cleanup(c.Close)
	return c
}

func TestStatusToOutcome(t *testing.T) {
	for status, want := range map[int]restclient.Outcome{
		400: restclient.Rejected, 405: restclient.Rejected, 413: restclient.Rejected, 415: restclient.Rejected,
		422: restclient.Rejected, 404: restclient.NotFound, 409: restclient.Exists,
		412: restclient.PreconditionFailed, 503: restclient.Unavailable,
		500: restclient.Unknown, 502: restclient.Unknown, 504: restclient.Unknown,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := serve(t, patience, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"title":"T","status":%d,"detail":"D","errors":[{"pointer":"/name","code":"blank","detail":"E"}]}`, status)
			})
			got := c.Create(t.Context(), zoe)
			require.NoError(t, got.Err)
			assert.Equal(t, want, got.Outcome)
			assert.Equal(t, status, got.Status)
			assert.Equal(t, 3*time.Second, got.RetryAfter)
			assert.Equal(t, []restclient.ProblemError{{Pointer: "/name", Code: "blank", Detail: "E"}}, got.Problem.Errors)
			assert.Equal(t, fmt.Sprintf("%s (%d): D", want, status), got.String())
		})
	}
}

func TestRepliesThatBreakTheContract(t *testing.T) {
	for title, c := range map[string]struct {
		status      int
		contentType string
		body        string
		says        string
	}{
		"200 for a create":     {200, "application/json", `{}`, "instead of 201"},
		"user is no JSON":      {201, "application/json", `{"id":`, "the user of the 201"},
		"doubled field":        {201, "application/json", `{"id":"a","id":"b"}`, "the user of the 201"},
		"group is no integer":  {201, "application/json", `{"group":1.5}`, "the user of the 201"},
		"trailing junk":        {201, "application/json", `{"id":"a"} x`, "the user of the 201"},
		"user is plain text":   {201, "text/plain", `{"id":"a"}`, "not application/json"},
		"problem is HTML":      {503, "text/html", `<html>`, "not application/problem+json"},
		"problem is no JSON":   {503, "application/problem+json", `{`, "the problem of the 503"},
		"endless reply":        {201, "application/json", strings.Repeat(" ", 1<<20+1), "over 1048576 bytes"},
		"redirected elsewhere": {307, "text/html", "", "not application/problem+json"},
	} {
		t.Run(title, func(t *testing.T) {
			client := serve(t, patience, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			assert.ErrorContains(t, client.Create(t.Context(), zoe).Err, c.says)
		})
	}
}

func TestNoConnectionIsUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	got := restclient.New(patience, "http://"+listener.Addr().String()).Create(t.Context(), zoe)
	assert.Equal(t, restclient.Unavailable, got.Outcome)
	assert.Zero(t, got.Status)
	assert.Error(t, got.Err)
}

func TestHangUpIsUnknownAndNotRepeated(t *testing.T) {
	var requests atomic.Int32
	c := serve(t, patience, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			resttest.Refuse(w, http.StatusNotFound) // leaves an idle connection behind
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	require.Equal(t, restclient.NotFound, c.Get(t.Context(), zoe.ID).Outcome)
	for i, send := range []func() restclient.Result{
		func() restclient.Result { return c.Create(t.Context(), zoe) },
		func() restclient.Result { return c.Update(t.Context(), zoe.ID, restclient.Patch{}) },
		func() restclient.Result { return c.Delete(t.Context(), zoe.ID) },
		func() restclient.Result { return c.Get(t.Context(), zoe.ID) },
	} {
		got := send()
		assert.Equal(t, restclient.Unknown, got.Outcome)
		assert.Error(t, got.Err)
		assert.EqualValues(t, i+2, requests.Load())
	}
}

// Unlike a write, a read may be sent again by the transport; that must show.
func TestARepeatedReadIsNotAnswered(t *testing.T) {
	var requests atomic.Int32
	c := serve(t, patience, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		resttest.Refuse(w, http.StatusNotFound)
	})
	require.Equal(t, restclient.NotFound, c.Get(t.Context(), zoe.ID).Outcome)
	got := c.Get(t.Context(), zoe.ID)
	assert.EqualValues(t, 3, requests.Load())
	assert.Equal(t, restclient.Unknown, got.Outcome)
	assert.ErrorContains(t, got.Err, "connection broke")
	assert.Equal(t, restclient.NotFound, c.Get(t.Context(), zoe.ID).Outcome)
}

func TestHalfAReplyIsUnknown(t *testing.T) {
	c := serve(t, patience, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"zoe"`)
	})
	got := c.Create(t.Context(), zoe)
	assert.Equal(t, restclient.Unknown, got.Outcome)
	assert.ErrorContains(t, got.Err, "read the reply")
}

func TestTimeoutIsUnknown(t *testing.T) {
	release := make(chan struct{})
	c := serve(t, time.Millisecond, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	got := c.Delete(t.Context(), zoe.ID)
	assert.Equal(t, restclient.Unknown, got.Outcome)
	assert.ErrorIs(t, got.Err, context.DeadlineExceeded)
}

func TestServerMakesTheID(t *testing.T) {
	bodies := make(chan string, 1)
	c := serve(t, patience, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		bodies <- string(raw)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/api/users/made")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"made","name":"A","email":"a@example.com","group":0}`)
	})
	got := c.Create(t.Context(), restclient.User{Name: "A", Email: "a@example.com"})
	require.NoError(t, got.Err)
	assert.Equal(t, "made", got.User.ID)
	assert.Equal(t, "/api/users/made", got.Location)
	assert.JSONEq(t, `{"name":"A","email":"a@example.com","group":0}`, <-bodies)
}

func TestGatewaysTakeTurns(t *testing.T) {
	var first, second atomic.Int32
	count := func(n *atomic.Int32) *resttest.Gateway {
		return &resttest.Gateway{Intercept: func(http.ResponseWriter, *http.Request) bool { n.Add(1); return false }}
	}
	c := restclient.New(patience, resttest.Start(t, count(&first)), resttest.Start(t, count(&second)))
	defer c.Close()
	for range 6 {
		c.Get(t.Context(), "a")
	}
	assert.EqualValues(t, 3, first.Load())
	assert.EqualValues(t, 3, second.Load())
}

func TestRecorded(t *testing.T) {
	var next atomic.Int32 // what to answer instead of carrying the request out; 200: carry it out
	next.Store(http.StatusOK)
	gateway := &resttest.Gateway{Intercept: func(w http.ResponseWriter, _ *http.Request) bool {
		switch next.Load() {
		case http.StatusOK:
			return false
		case 0:
			panic(http.ErrAbortHandler)
		}
		resttest.Refuse(w, int(next.Load()))
		return true
	}}
	now := int64(0)
	recorder := history.NewRecorder(func() int64 { now++; return now })
	client := restclient.New(patience, resttest.Start(t, gateway))
	defer client.Close()
	c, ctx := client.Recorded(recorder, 3), t.Context()

	email := "z@example.com"
	c.Create(ctx, zoe)
	c.Create(ctx, zoe)
	c.Update(ctx, "nobody", restclient.Patch{Email: &email})
	next.Store(http.StatusServiceUnavailable)
	c.Update(ctx, zoe.ID, restclient.Patch{Email: &email})
	next.Store(http.StatusUnprocessableEntity)
	c.Update(ctx, zoe.ID, restclient.Patch{Email: &email})
	next.Store(http.StatusGatewayTimeout)
	c.Delete(ctx, zoe.ID)
	next.Store(0)
	c.Delete(ctx, zoe.ID)
	next.Store(http.StatusCreated) // for a GET: breaks the contract
	c.Get(ctx, zoe.ID)
	next.Store(http.StatusOK)
	c.Get(ctx, zoe.ID)

	ops := recorder.History()
	outputs := make([]history.Output, len(ops))
	for i, op := range ops {
		outputs[i] = op.Output
		assert.Equal(t, 3, op.Client)
		assert.Equal(t, int64(2*i+1), op.Call)
		assert.Equal(t, int64(2*i+2), op.Return)
	}
	assert.Equal(t, []history.Output{
		history.Done(zoe), history.Ended(history.Exists), history.Ended(history.NotFound),
		history.Ended(history.Unavailable), history.Ended(history.Unavailable),
		history.Ended(history.Unknown), history.Ended(history.Unknown), history.Ended(history.Unknown),
		history.Done(zoe),
	}, outputs)
	history.Require(t, ops, patience, t.TempDir())
}
