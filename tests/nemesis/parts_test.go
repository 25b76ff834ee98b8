package nemesis

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

func TestASeedDrawsTheSameAgain(t *testing.T) {
	chased := 0
	draws := func(seed uint64) (list []plan) {
		rng, all := rand.New(rand.NewPCG(seed, 0)), &deck{kinds: kinds(false)}
		var p plan
		for range 60 * len(all.kinds) {
			last := p.victim
			p = draw(rng, all, last)
			assert.Less(t, p.shift, p.away)
			assert.LessOrEqual(t, p.away, longest)
			assert.NotEmpty(t, p.others)
			assert.NotContains(t, p.others, p.victim)
			assert.True(t, p.victim < placement.Nodes || slices.Max(p.others) < placement.Nodes)
			assert.True(t, !p.kind.nodes || p.victim < placement.Nodes)
			if last < placement.Nodes && p.victim < placement.Nodes && p.victim != last {
				chased++
			}
			p.kind.fault = nil
			list = append(list, p)
		}
		return list
	}
	one := draws(7)
	assert.Equal(t, one, draws(7))
	assert.NotEqual(t, one, draws(8))
	assert.Greater(t, chased, 3*len(one)/2, "of three times as many: the next node is struck")
	seen := map[string]map[int]int{}
	for i, p := range one {
		if seen[p.kind.name] == nil {
			seen[p.kind.name] = map[int]int{}
		}
		seen[p.kind.name][p.victim]++
		if i == len(kinds(false))-1 {
			assert.Len(t, seen, len(kinds(false)), "all of them before one comes again")
		}
	}
	for _, k := range kinds(false) {
		want := placement.Nodes + gateways
		if k.nodes {
			want = placement.Nodes
		}
		assert.Len(t, seen[k.name], want, k.name)
	}
}

func TestKeysAreRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var retired []*key
		k := newKeys(func() int64 { return 0 }, func(k *key) { retired = append(retired, k) })
		first := k.take(0)
		for range maxCalls - 1 {
			k.give(k.take(0), false)
		}
		second := k.take(0)
		assert.NotEqual(t, first.id, second.id)
		assert.Empty(t, retired, "a call is still under way")
		k.give(first, false)
		require.Equal(t, []*key{first}, retired)
		assert.Equal(t, maxCalls, first.calls)

		for range maxOpen {
			k.give(k.take(1), true)
		}
		k.give(second, false)
		third := k.take(1)
		require.Len(t, retired, 2, "too many writes without an answer")
		assert.Equal(t, maxOpen, retired[1].open)
		k.give(third, false)

		time.Sleep(maxAge)
		k.give(k.take(0), false)
		require.Len(t, retired, 3)
		assert.Same(t, second, retired[2], "by its age")
		k.retireAll()
		assert.Len(t, retired, 5)
	})
}

func TestFewClientsCallOneKeyAtATime(t *testing.T) {
	k := newKeys(func() int64 { return 0 }, func(*key) {})
	var first *key
	for range maxBusy {
		first = k.take(0)
		require.NotNil(t, first)
	}
	assert.Nil(t, k.take(0))
	assert.NotNil(t, k.take(1))
	k.give(first, false)
	assert.Same(t, first, k.take(0))
}

func TestLowestRate(t *testing.T) {
	c := newCalls()
	rate, _ := c.lowest()
	assert.Zero(t, rate)
	c.seconds = 30
	for second := range 29 {
		for range 100 {
			c.count(second)
		}
	}
	rate, at := c.lowest()
	assert.InDelta(t, 90, rate, 1e-9, "nothing was answered in the last second")
	assert.Equal(t, 20*time.Second, at)
	c.answered[5], c.answered[12] = 0, 0
	rate, at = c.lowest()
	assert.InDelta(t, 80, rate, 1e-9)
	assert.Equal(t, 3*time.Second, at)
}

func TestCallsAreSorted(t *testing.T) {
	c := newCalls()
	for _, o := range []restclient.Outcome{
		restclient.OK, restclient.Exists, restclient.NotFound, restclient.Unknown, restclient.Unavailable, restclient.Unavailable,
	} {
		c.note(history.KindCreate, o)
	}
	assert.Equal(t, map[history.Kind]Ends{history.KindCreate: {Done: 1, Refused: 2, Unknown: 1, Failed: 2}}, c.ends)
	assert.Equal(t, []int{3}, c.answered)
}

// against runs clients against a stand-in for the gateways, and judges.
func against(t *testing.T, gateway *resttest.Gateway) *judge {
	t.Helper()
	url := resttest.Start(t, gateway)
	begun := time.Now()
	clock := func() int64 { return int64(time.Since(begun)) }
	n := &nemesis{
		TB: t, o: Options{Clients: 4, PerSecond: 2000}, judge: newJudge(t.TempDir(), clock), calls: newCalls(),
		c: &latency.Cluster{URLs: []string{"", "", "", url, url}},
	}
	n.keys = newKeys(clock, n.judge.take)
	for range gateways {
		client := restclient.New(time.Minute, url)
		t.Cleanup(client.Close)
		n.clients = append(n.clients, client)
	}
	end := n.startClients()
	n.load.Store(&shape{"two keys", 50, 50, 1})
	for limit := time.Now().Add(2 * time.Second); time.Now().Before(limit) && len(n.judge.found()) == 0; {
		n.pause(10 * time.Millisecond)
	}
	end()
	n.keys.retireAll()
	n.judge.close()
	return n.judge
}

func TestARightGatewayPasses(t *testing.T) {
	gateway := &resttest.Gateway{}
	j := against(t, gateway)
	assert.Empty(t, j.found())
	assert.Greater(t, j.sum().Keys, 1+warmKeys)
	assert.Greater(t, j.sum().Operations, 500)
	client := restclient.New(time.Minute, resttest.Start(t, &resttest.Gateway{}))
	defer client.Close()
	j.last(t.Context(), 4, []*restclient.Client{client})
	assert.NotEmpty(t, j.found(), "all is gone at the end")
}

func TestWhatIsThereAtTheEnd(t *testing.T) {
	gateway := &resttest.Gateway{}
	url := resttest.Start(t, gateway)
	client := restclient.New(time.Minute, url)
	defer client.Close()
	u := history.User{ID: "ann", Name: "Ann", Email: "ann@example.com"}
	created := history.Operation{Call: 0, Return: 1, Input: history.Create(u), Output: history.Done(u)}
	deleted := history.Operation{Call: 2, Return: 3, Input: history.Delete("ann"), Output: history.Ended(history.OK)}
	last := func(ops ...history.Operation) (there, found []string) {
		j := newJudge(t.TempDir(), func() int64 { return 9 })
		j.close()
		log, err := pack(ops)
		require.NoError(t, err)
		j.archive = []archived{{"ann", log}}
		there = j.last(t.Context(), 0, []*restclient.Client{client})
		return there, j.found()
	}
	there, found := last(created, deleted)
	assert.Empty(t, there)
	assert.NotNil(t, there)
	assert.Empty(t, found)
	_, found = last(created)
	assert.Len(t, found, 1, "acknowledged, and not there")
	gateway.Put(u)
	there, found = last(created)
	assert.Equal(t, []string{"ann"}, there)
	assert.Empty(t, found)
	_, found = last(created, deleted)
	assert.Len(t, found, 1, "deleted, and there again")
}

// Each of these gateways is wrong in one way, and must be caught at it; what is
// kept of it must say the same again.
func TestWrongGatewaysAreFound(t *testing.T) {
	answers := func(method string, status int) *resttest.Gateway {
		return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method {
				return false
			}
			if status == http.StatusNoContent {
				w.WriteHeader(status)
			} else {
				resttest.Refuse(w, status)
			}
			return true
		}}
	}
	// Of some updates, another answer than that of the gateway behind.
	twisted := func(twist func(w http.ResponseWriter, r *http.Request, behind http.Handler)) *resttest.Gateway {
		target, err := url.Parse(resttest.Start(t, &resttest.Gateway{}))
		require.NoError(t, err)
		behind := httputil.NewSingleHostReverseProxy(target)
		var updates atomic.Int32
		return &resttest.Gateway{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut && updates.Add(1)%20 == 0 {
				twist(w, r, behind)
			} else {
				behind.ServeHTTP(w, r)
			}
			return true
		}}
	}
	for title, gateway := range map[string]*resttest.Gateway{
		"deletes are answered and not done": answers(http.MethodDelete, http.StatusNoContent),
		"reads find nothing":                answers(http.MethodGet, http.StatusNotFound),
		"creates are refused":               answers(http.MethodPost, http.StatusConflict),
		"an update is lost": twisted(func(w http.ResponseWriter, r *http.Request, behind http.Handler) {
			r.Method = http.MethodGet
			behind.ServeHTTP(w, r)
		}),
		"an update is called not applied, and is": twisted(func(w http.ResponseWriter, r *http.Request, behind http.Handler) {
			behind.ServeHTTP(httptest.NewRecorder(), r)
			resttest.Refuse(w, http.StatusServiceUnavailable)
		}),
		"an update is called refused, and is applied": twisted(func(w http.ResponseWriter, r *http.Request, behind http.Handler) {
			behind.ServeHTTP(httptest.NewRecorder(), r)
			resttest.Refuse(w, http.StatusNotFound)
		}),
		"500":               answers(http.MethodPut, http.StatusInternalServerError),
		"no proper request": answers(http.MethodPut, http.StatusUnprocessableEntity),
	} {
		t.Run(title, func(t *testing.T) {
			j := against(t, gateway)
			assert.NotEmpty(t, j.found())
			logs, err := filepath.Glob(filepath.Join(j.dir, "*.jsonl"))
			require.NoError(t, err)
			illegal := title != "500" && title != "no proper request"
			assert.Equal(t, illegal, len(logs) > 0)
			for _, log := range logs {
				assert.FileExists(t, log[:len(log)-len(".jsonl")]+".html")
				f, err := os.Open(log)
				require.NoError(t, err)
				defer f.Close()
				ops, err := history.Read(f)
				require.NoError(t, err)
				verdict, _ := history.Check(ops, time.Minute)
				assert.Equal(t, history.Illegal, verdict)
			}
		})
	}
}

func TestReportSaysHowItWent(t *testing.T) {
	r := Report{Seed: 7, Faults: map[string]int{"killed": 2, "frozen": 1}}
	assert.Contains(t, r.String(), "SEED=7")
	assert.Contains(t, r.String(), "3 (frozen 1, killed 2)")
	assert.Contains(t, r.String(), "verdict: none")
	r.Audit = "all well"
	assert.Contains(t, r.String(), "verdict: linearizable")
	r.Findings = []string{"oh"}
	assert.Contains(t, r.String(), "verdict: NOT good:\noh")
}
