package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	contenders = 16
	updates    = 1000
	stormy     = 1000
	// mostUnknown is how many changes may end without an answer because the
	// machine was slow. Rivalry alone leaves none: what a rival overtook is
	// refused by all that were asked, which proves that it was not applied.
	mostUnknown = (updates + stormy) / 50
)

// TestManyClientsOneUserThroughTwoGateways: partial updates of different fields
// at once, then a storm of creations and deletions of the same id; the history
// is linearizable.
func TestManyClientsOneUserThroughTwoGateways(t *testing.T) {
	c := start(t, local.Config{Gateways: 2, Gateway: unhedged})
	begun := time.Now()
	recorder := history.NewRecorder(func() int64 { return int64(time.Since(begun)) })
	var clients []*restclient.Recorded
	for number := range contenders {
		clients = append(clients, c.client(number%2).Recorded(recorder, number))
	}
	u := restclient.User{ID: "one", Name: "before", Email: "before@example.com", Group: 1}
	requireOK(t, clients[0].Create(t.Context(), u))

	var outcomes tally
	share(updates, clients, func(i int, client *restclient.Recorded) {
		outcomes.note("update", client.Update(t.Context(), u.ID, someField(i)))
	})
	share(stormy, clients, func(i int, client *restclient.Recorded) {
		switch i % 4 {
		case 0:
			outcomes.note("create", client.Create(t.Context(), u))
		case 1:
			outcomes.note("delete", client.Delete(t.Context(), u.ID))
		case 2:
			outcomes.note("late update", client.Update(t.Context(), u.ID, someField(i)))
		default:
			outcomes.note("read", client.Get(t.Context(), u.ID))
		}
	})
	t.Logf("%d updates, then a storm of %d; in %v: %v", updates, stormy, time.Since(begun), outcomes.String())
	t.Log(history.Require(t, recorder.History(), patience, t.ArtifactDir()))
	require.Zero(t, outcomes.total(restclient.Unavailable), "all nodes were up")
	require.LessOrEqual(t, outcomes.total(restclient.Unknown), mostUnknown, "all nodes were up")
}

// share lets the clients do n things, each one after the other.
func share[C any](n int, clients []C, do func(i int, client C)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, client := range clients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i, client)
			}
		})
	}
	wg.Wait()
}

// someField changes one field to a value of its own.
func someField(i int) restclient.Patch {
	text, group := fmt.Sprint("n", i), i
	email := text + "@example.com"
	return [...]restclient.Patch{{Name: &text}, {Email: &email}, {Group: &group}}[i%3]
}

// tally counts outcomes by what was asked. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[restclient.Outcome]int
}

func (y *tally) note(what string, r restclient.Result) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = map[string]map[restclient.Outcome]int{}
	}
	if y.counts[what] == nil {
		y.counts[what] = map[restclient.Outcome]int{}
	}
	y.counts[what][r.Outcome]++
}

func (y *tally) total(o restclient.Outcome) int {
	n := 0
	for _, outcomes := range y.counts {
		n += outcomes[o]
	}
	return n
}

func (y *tally) String() string { return fmt.Sprint(y.counts) }
