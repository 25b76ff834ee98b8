package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/ctl/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// users is a users API in memory, on a real socket.
type users struct {
	url string

	mu      sync.Mutex
	docs    map[string]map[string]any
	methods map[string]int
	ids     map[string]bool // ever
	instead func(w http.ResponseWriter, r *http.Request, nth int) bool
	served  int
}

func serve(t *testing.T, instead func(w http.ResponseWriter, r *http.Request, nth int) bool) *users {
	t.Helper()
	u := &users{docs: map[string]map[string]any{}, methods: map[string]int{}, ids: map[string]bool{}, instead: instead}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	u.url = server.URL + "/"
	return u
}

// ServeHTTP satisfies http.Handler.
func (u *users) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	u.mu.Lock()
	u.served++
	nth := u.served
	u.mu.Unlock()
	if u.instead != nil && u.instead(w, r, nth) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.methods[r.Method]++
	id := strings.TrimPrefix(r.URL.Path, "/api/users/")
	var sent map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &sent); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id = sent["id"].(string)
	}
	u.ids[id] = true
	status := u.carryOut(r.Method, id, sent)
	w.WriteHeader(status)
	if status < 300 && status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(u.docs[id])
	}
}

func (u *users) carryOut(method, id string, sent map[string]any) (status int) {
	doc, there := u.docs[id]
	switch {
	case method == http.MethodPost && there:
		return http.StatusConflict
	case method == http.MethodPost:
		u.docs[id] = sent
		return http.StatusCreated
	case !there:
		return http.StatusNotFound
	case method == http.MethodDelete:
		delete(u.docs, id)
		return http.StatusNoContent
	case method == http.MethodPut:
		doc["name"] = sent["name"]
	}
	return http.StatusOK
}

func config(u *users, load string) bench.Config {
	return bench.Config{Gateway: u.url, Load: load, Clients: 4, Users: 20, Duration: 300 * time.Millisecond}
}

func TestEachLoadDoesWhatItSays(t *testing.T) {
	t.Parallel()
	for load, want := range map[string][]string{
		"read":   {"all", "read"},
		"create": {"all", "create"},
		"update": {"all", "update"},
		"hot":    {"all", "update"},
		"mixed":  {"all", "read", "create", "update", "delete"},
	} {
		t.Run(load, func(t *testing.T) {
			t.Parallel()
			u := serve(t, nil)
			r, err := bench.Run(t.Context(), config(u, load), nil)
			require.NoError(t, err)
			var rows []string
			sum := int64(0)
			for i, q := range r.Requests {
				rows = append(rows, q.Operation)
				require.Positive(t, q.Answered)
				require.Positive(t, q.PerSecond)
				require.LessOrEqual(t, q.P50, q.P99)
				require.LessOrEqual(t, q.P99, q.Max)
				if i > 0 {
					sum += q.Answered
				}
			}
			require.Equal(t, want, rows)
			require.Equal(t, sum, r.Requests[0].Answered)
			require.Zero(t, r.Failures())
			counted := int64(0)
			for _, b := range r.Buckets {
				counted += b.Count
			}
			require.Equal(t, sum, counted, "the histogram has all")
			require.Empty(t, u.docs, "its users are deleted")
			for id := range u.ids {
				require.Regexp(t, `^bench-[0-9a-f]{8}-\d+$`, id, "nobody else's user is touched")
			}
		})
	}
}

func TestKeepLeavesTheUsers(t *testing.T) {
	t.Parallel()
	u := serve(t, nil)
	cfg := config(u, "read")
	cfg.Keep = true
	_, err := bench.Run(t.Context(), cfg, nil)
	require.NoError(t, err)
	require.Len(t, u.docs, 20)
	require.Zero(t, u.methods[http.MethodDelete])
}

// TestBadAnswersAreFailures, and not among the times.
func TestBadAnswersAreFailures(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request, nth int) bool {
		if r.Method != http.MethodGet {
			return false
		}
		switch nth % 4 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			_, _ = w.Write([]byte(`{"id":"somebody else"}`))
		case 2:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	})
	r, err := bench.Run(t.Context(), config(u, "read"), nil)
	require.NoError(t, err)
	failed := r.Requests[0].Failed
	for _, why := range []string{"503", "wrong answer", "no answer"} {
		require.Positive(t, failed[why], why)
	}
	require.Len(t, failed, 3)
	require.Equal(t, failed["503"]+failed["wrong answer"]+failed["no answer"], r.Failures())
	require.Positive(t, r.Requests[0].Answered)
	var text bytes.Buffer
	r.Print(&text)
	require.Regexp(t, `all +\d+ .*\d+ x 503, \d+ x no answer, \d+ x wrong answer`, text.String())
}

// TestAtARateWhatHadToWaitShows: requests that were due while the only client
// waited for a slow answer are as late as they are late.
func TestAtARateWhatHadToWaitShows(t *testing.T) {
	t.Parallel()
	const stall = 400 * time.Millisecond
	var once sync.Once
	begun := time.Now()
	u := serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodGet && time.Since(begun) > 1200*time.Millisecond {
			once.Do(func() { <-time.NewTimer(stall).C })
		}
		return false
	})
	cfg := config(u, "read")
	cfg.Clients, cfg.Rate, cfg.Duration = 1, 100, 2*time.Second
	r, err := bench.Run(t.Context(), cfg, nil)
	require.NoError(t, err)
	require.InDelta(t, 200, r.Requests[0].Answered, 20)
	late := int64(0)
	for _, b := range r.Buckets {
		if b.Upto >= 100 {
			late += b.Count
		}
	}
	require.Greater(t, late, int64(20), "about forty were due meanwhile, not one")
}

func TestInterruptedLoadIsMeasuredUpToThen(t *testing.T) {
	t.Parallel()
	u := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := config(u, "mixed")
	cfg.Duration = time.Hour
	seconds := 0
	r, err := bench.Run(ctx, cfg, func(p bench.Progress) {
		if p.Phase != "measuring" {
			return
		}
		if seconds++; seconds == 2 {
			cancel()
		}
	})
	require.NoError(t, err)
	require.Positive(t, r.Requests[0].Answered)
	require.Less(t, r.Seconds, 60.0)
	require.Empty(t, u.docs, "deleted all the same")
}

func TestUsersThatCantBeMade(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request, nth int) bool {
		if r.Method == http.MethodPost && nth > 10 {
			w.WriteHeader(http.StatusInsufficientStorage)
			return true
		}
		return false
	})
	_, err := bench.Run(t.Context(), config(u, "read"), nil)
	require.ErrorContains(t, err, "a user can't be made: 507")
	require.Empty(t, u.docs, "those that were made are deleted")
}

func TestUsersThatCantBeDeleted(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	r, err := bench.Run(t.Context(), config(u, "read"), nil)
	require.ErrorContains(t, err, "are left: a user can't be deleted: 503")
	require.Positive(t, r.Requests[0].Answered, "what was measured is not lost")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := bench.Config{Load: "read", Clients: 1, Users: 1, Duration: 1}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*bench.Config){
		"no load":      func(c *bench.Config) { c.Load = "reads" },
		"0 clients":    func(c *bench.Config) { c.Clients = 0 },
		"4097 clients": func(c *bench.Config) { c.Clients = bench.MaxClients + 1 },
		"0 users":      func(c *bench.Config) { c.Users = 0 },
		"duration":     func(c *bench.Config) { c.Duration = 0 },
		"rate":         func(c *bench.Config) { c.Rate = -1 },
	} {
		c := good
		change(&c)
		require.ErrorContains(t, c.Validate(), want)
		_, err := bench.Run(t.Context(), c, nil)
		require.Error(t, err)
	}
}
