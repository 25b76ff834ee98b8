package latency

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

const steps = 400 // enough for every kind of request, many times over

// against returns a workload of one client against gateway, which holds the
// shared users already.
func against(t *testing.T, gateway *resttest.Gateway) *Workload {
	t.Helper()
	rest := restclient.New(time.Minute, resttest.Start(t, gateway))
	t.Cleanup(rest.Close)
	next, stop := iter.Pull(people.Generate(1, 1<<20))
	t.Cleanup(stop)
	row := func() people.Person { p, _ := next(); return p }
	var users []restclient.User
	for range 60 {
		u := restclient.User(row().Stored())
		gateway.Put(u)
		users = append(users, u)
	}
	return New(Config{Client: rest, Clients: 1, PerSecond: 1e6, Shared: users, NewUser: row})
}

// drive lets the client send its requests and compares; it returns the table's
// one row and how many ids differ.
func drive(t *testing.T, w *Workload) (Row, int) {
	t.Helper()
	w.Enter("test")
	for range steps {
		w.clients[0].step(t.Context())
	}
	w.Enter("end")
	rows := w.Report(time.Hour)
	require.Len(t, rows, 1)
	_, _, different := w.Compare(t.Context())
	return rows[0], different
}

func TestARightGatewayPasses(t *testing.T) {
	var mu sync.Mutex // one client, but a connection may end after the next one was opened
	seen := map[string]int{}
	gateway := &resttest.Gateway{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Method]++
		return false
	}}
	w := against(t, gateway)
	row, different := drive(t, w)
	assert.Equal(t, steps, row.Requests)
	assert.Zero(t, row.Failed+row.Wrong, w.Problems())
	assert.Zero(t, different)
	compared, existing, _ := w.Compare(t.Context())
	assert.Equal(t, gateway.Len(), existing)
	assert.Equal(t, existing+len(w.clients[0].gone), compared)
	assert.NotEmpty(t, w.clients[0].gone)
	assert.Empty(t, w.Problems())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodGet} {
		assert.Greater(t, seen[method], 30, method)
	}
}

// Each of these gateways is wrong in one way, and must be caught at it.
func TestWrongAnswersAreFound(t *testing.T) {
	for title, gateway := range map[string]func() *resttest.Gateway{
		"stale read": func() *resttest.Gateway {
			first := map[string]history.User{}
			return &resttest.Gateway{Distort: func(r *http.Request, u history.User) history.User {
				old, known := first[u.ID]
				switch {
				case !known:
					first[u.ID] = u
				case r.Method == http.MethodGet:
					return old
				}
				return u
			}}
		},
		"update answered, not kept": func() *resttest.Gateway {
			g := &resttest.Gateway{}
			g.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					r.Method = http.MethodGet
				}
				return false
			}
			return g
		},
		"delete answered, not done": func() *resttest.Gateway {
			return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodDelete {
					w.WriteHeader(http.StatusNoContent)
					return true
				}
				return false
			}}
		},
		"user missing": func() *resttest.Gateway {
			return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet {
					resttest.Refuse(w, http.StatusNotFound)
				}
				return r.Method == http.MethodGet
			}}
		},
		"another 2xx than the right one": func() *resttest.Gateway {
			return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodDelete {
					w.WriteHeader(http.StatusOK)
				}
				return r.Method == http.MethodDelete
			}}
		},
	} {
		t.Run(title, func(t *testing.T) {
			w := against(t, gateway())
			row, _ := drive(t, w)
			assert.NotZero(t, row.Wrong)
			assert.Zero(t, row.Failed, w.Problems())
			assert.NotEmpty(t, w.Problems())
		})
	}
}

func TestJudge(t *testing.T) {
	ann, other := restclient.User{ID: "ann", Name: "Ann"}, restclient.User{ID: "ann", Name: "Anne"}
	for title, c := range map[string]struct {
		want restclient.Outcome
		user *restclient.User
		got  restclient.Result
		end  verdict
	}{
		"as it should be":    {restclient.OK, &ann, restclient.Result{Outcome: restclient.OK, User: &ann}, correct},
		"refused rightly":    {restclient.Exists, nil, restclient.Result{Outcome: restclient.Exists}, correct},
		"refused otherwise":  {restclient.Exists, nil, restclient.Result{Outcome: restclient.NotFound}, wrong},
		"deleted, not found": {restclient.OK, nil, restclient.Result{Outcome: restclient.NotFound}, wrong},
		"another user":       {restclient.OK, &ann, restclient.Result{Outcome: restclient.OK, User: &other}, wrong},
		"no user":            {restclient.OK, &ann, restclient.Result{Outcome: restclient.OK}, wrong},
		"a user too many":    {restclient.OK, nil, restclient.Result{Outcome: restclient.OK, User: &ann}, wrong},
		"broken contract":    {restclient.OK, &ann, restclient.Result{Outcome: restclient.OK, User: &ann, Err: errors.New("no JSON")}, wrong},
		"unavailable":        {restclient.OK, &ann, restclient.Result{Outcome: restclient.Unavailable}, failed},
		"no answer":          {restclient.OK, &ann, restclient.Result{Outcome: restclient.Unknown}, failed},
	} {
		w := New(Config{})
		assert.Equal(t, c.end, w.judge("test", "ann", c.want, c.user, c.got), title)
		assert.Equal(t, c.end == correct, len(w.Problems()) == 0, title)
	}
}

func TestNoAnswerIsAFailure(t *testing.T) {
	for title, answer := range map[string]func(w http.ResponseWriter){
		"503":     func(w http.ResponseWriter) { resttest.Refuse(w, http.StatusServiceUnavailable) },
		"504":     func(w http.ResponseWriter) { resttest.Refuse(w, http.StatusGatewayTimeout) },
		"500":     func(w http.ResponseWriter) { resttest.Refuse(w, http.StatusInternalServerError) },
		"hang up": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(title, func(t *testing.T) {
			var requests atomic.Int32
			w := against(t, &resttest.Gateway{Intercept: func(w http.ResponseWriter, _ *http.Request) bool {
				if requests.Add(1)%50 != 0 {
					return false
				}
				answer(w)
				return true
			}})
			row, _ := drive(t, w)
			assert.NotZero(t, row.Failed)
			assert.Zero(t, row.Wrong)
		})
	}
}

func TestRunAnswersTheLastRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int32
	w := against(t, &resttest.Gateway{Intercept: func(http.ResponseWriter, *http.Request) bool {
		if requests.Add(1) == 100 {
			cancel() // while a request is under way
		}
		return false
	}})
	w.Enter("test")
	w.Run(ctx)
	w.Enter("end")
	row := w.Report(time.Hour)[0]
	assert.EqualValues(t, requests.Load(), row.Requests)
	assert.Zero(t, row.Failed+row.Wrong, w.Problems())
}

func TestPatchSetsSomething(t *testing.T) {
	w := against(t, &resttest.Gateway{})
	var kinds []restclient.Patch
	for range 200 {
		p := w.clients[0].patch()
		assert.NotEqual(t, restclient.Patch{}, p)
		if !slices.ContainsFunc(kinds, func(k restclient.Patch) bool { return sameFields(k, p) }) {
			kinds = append(kinds, p)
		}
	}
	assert.Len(t, kinds, 7, "every subset of three fields but the empty one")
}

func sameFields(a, b restclient.Patch) bool {
	return (a.Name == nil) == (b.Name == nil) && (a.Email == nil) == (b.Email == nil) && (a.Group == nil) == (b.Group == nil)
}

// What went wrong behind the clients' backs shows when everything is compared.
func TestCompareFindsWhatWasLost(t *testing.T) {
	gateway := &resttest.Gateway{}
	w := against(t, gateway)
	row, different := drive(t, w)
	require.Zero(t, row.Failed+row.Wrong+different, w.Problems())
	own, gone, sharedUser := w.clients[0].live[0], w.clients[0].gone[0], w.config.Shared[0]
	gateway.Put(history.User{ID: own.ID, Name: "Changed"})
	gateway.Put(history.User{ID: gone, Name: "Resurrected"})
	gateway.Put(history.User{ID: sharedUser.ID, Name: "Changed"})
	_, _, different = w.Compare(t.Context())
	assert.Equal(t, 3, different)
}

// A gateway that hangs up leaves every kind of request to the other one, after
// it carried the request out or without.
func TestMovedRequests(t *testing.T) {
	for title, carriedOut := range map[string]func() bool{
		"never": func() bool { return false },
		"first": func() bool { return true },
	} {
		t.Run(title, func(t *testing.T) {
			good := &resttest.Gateway{}
			address := resttest.Start(t, good)
			target, err := url.Parse(address)
			require.NoError(t, err)
			bad := resttest.Start(t, &resttest.Gateway{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
				if carriedOut() {
					httputil.NewSingleHostReverseProxy(target).ServeHTTP(httptest.NewRecorder(), r)
				}
				panic(http.ErrAbortHandler)
			}})
			w := against(t, good)
			for range steps {
				client := restclient.NewMoving(time.Minute, address, bad) // a new one, as it soon leaves the bad one alone
				w.config.Client = client
				w.Enter("test")
				w.clients[0].step(t.Context())
				client.Close()
			}
			w.config.Client = restclient.New(time.Minute, address)
			defer w.config.Client.Close()
			w.Enter("end")
			var sum Row
			for _, row := range w.Report(time.Hour) {
				sum.Failed, sum.Wrong = sum.Failed+row.Failed, sum.Wrong+row.Wrong
				sum.Moved, sum.Doubt = sum.Moved+row.Moved, sum.Doubt+row.Doubt
			}
			_, existing, different := w.Compare(t.Context())
			assert.Zero(t, sum.Failed+sum.Wrong+different, w.Problems())
			assert.Equal(t, steps, sum.Moved)
			assert.Greater(t, sum.Doubt, steps/3)
			assert.Less(t, sum.Doubt, sum.Moved, "reads are harmless")
			assert.Equal(t, good.Len(), existing)
		})
	}
}
