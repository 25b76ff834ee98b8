package loader_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/people/loader"
	"github.com/dyad-db/dyad/tests/restclient"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

// load loads 120 rows through gateway.
func load(t *testing.T, gateway *resttest.Gateway) (loader.Config, []people.Person, loader.Summary) {
	t.Helper()
	client := restclient.New(time.Minute, resttest.Start(t, gateway))
	t.Cleanup(client.Close)
	config := loader.Config{Client: client, Connections: 8, RetryWait: time.Nanosecond}
	rows := slices.Collect(people.Generate(1, 120))
	summary, err := loader.Load(t.Context(), config, rows)
	require.NoError(t, err)
	return config, rows, summary
}

func TestLoadAndLoadAgain(t *testing.T) {
	gateway := &resttest.Gateway{}
	config, rows, summary := load(t, gateway)
	require.NoError(t, summary.Err(), summary.Problems)
	assert.Equal(t, 120, gateway.Len())
	summary.Took = 2 * time.Second
	assert.Equal(t, "loaded 120, read back 120, different 0, in 2.0 s (120 requests/s)", summary.String())

	last := 0
	config.Progress = func(done, of int) {
		assert.Equal(t, last+1, done)
		assert.Equal(t, 240, of)
		last = done
	}
	summary, err := loader.Load(t.Context(), config, rows)
	require.NoError(t, err)
	require.NoError(t, summary.Err(), summary.Problems)
	assert.Equal(t, 240, last)
	summary.Took = 2 * time.Second
	assert.Equal(t, "loaded 120 (120 were there), read back 120, different 0, in 2.0 s (120 requests/s)", summary.String())
}

func TestDifferencesAreFound(t *testing.T) {
	for title, distort := range map[string]func(u *history.User){
		"id":    func(u *history.User) { u.ID += "x" },
		"name":  func(u *history.User) { u.Name = strings.ToLower(u.Name) },
		"email": func(u *history.User) { u.Email = strings.ToLower(u.Email) },
		"group": func(u *history.User) { u.Group = int(float32(u.Group)) },
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(title+" in "+method, func(t *testing.T) {
				_, _, summary := load(t, &resttest.Gateway{Distort: func(r *http.Request, u history.User) history.User {
					if r.Method == method {
						distort(&u)
					}
					return u
				}})
				require.Error(t, summary.Err())
				assert.NotZero(t, summary.Differs)
				assert.Len(t, summary.Problems, 10)
				assert.Contains(t, summary.Problems[0], "instead of")
			})
		}
	}
}

func TestAnotherUserInThePlaceIsADifference(t *testing.T) {
	gateway := &resttest.Gateway{}
	config, rows, _ := load(t, gateway)
	gateway.Put(history.User{ID: rows[7].ID, Name: "Somebody Else", Email: rows[7].Email, Group: rows[7].Group})
	summary, err := loader.Load(t.Context(), config, rows)
	require.NoError(t, err)
	require.Error(t, summary.Err())
	assert.Equal(t, 1, summary.Differs)
	assert.Equal(t, 119, summary.ReadBack)
}

// failing answers the first n tries of each request with status.
func failing(status, n int) *resttest.Gateway {
	var mu sync.Mutex
	tries := map[string]int{}
	return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		key := r.Method + r.URL.Path
		if r.Method == http.MethodPost || tries[key] == n {
			return false
		}
		tries[key]++
		resttest.Refuse(w, status)
		return true
	}}
}

func TestA503IsTriedAgainAFewTimes(t *testing.T) {
	_, _, summary := load(t, failing(http.StatusServiceUnavailable, 5))
	assert.NoError(t, summary.Err(), summary.Problems)

	_, _, summary = load(t, failing(http.StatusServiceUnavailable, 6))
	require.Error(t, summary.Err())
	assert.Equal(t, 120, summary.Failed)
	assert.Contains(t, summary.Problems[0], "unavailable (503)")
	assert.Contains(t, summary.String(), "read back 0, different 0, failed 120,")
}

func TestNothingElseIsTriedAgain(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusGatewayTimeout, http.StatusNotFound} {
		_, _, summary := load(t, failing(status, 1))
		assert.Equal(t, 120, summary.Failed)
	}
}

func TestALostCreateIsAFailure(t *testing.T) {
	_, _, summary := load(t, &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.URL.Path != "/api/users/okina" { // one of the rows that every run has
			return false
		}
		resttest.Refuse(w, http.StatusNotFound)
		return true
	}})
	require.Error(t, summary.Err())
	assert.Equal(t, 1, summary.Failed)
	assert.Equal(t, 119, summary.ReadBack)
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := restclient.New(time.Minute, resttest.Start(t, &resttest.Gateway{
		Intercept: func(http.ResponseWriter, *http.Request) bool { cancel(); return false },
	}))
	defer client.Close()
	_, err := loader.Load(ctx, loader.Config{Client: client, Connections: 2}, slices.Collect(people.Generate(1, 120)))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestErr(t *testing.T) {
	good := loader.Summary{Rows: 3, Created: 2, Existing: 1, ReadBack: 3}
	assert.NoError(t, good.Err())
	for title, spoil := range map[string]func(s *loader.Summary){
		"not all read":          func(s *loader.Summary) { s.ReadBack = 2 },
		"failed create":         func(s *loader.Summary) { s.Failed = 1 },
		"create answered wrong": func(s *loader.Summary) { s.Differs = 1 },
	} {
		bad := good
		spoil(&bad)
		assert.Error(t, bad.Err(), title)
	}
}
