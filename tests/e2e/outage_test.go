package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
)

// book is the users that must be there; every operation on it must succeed.
type book struct {
	c      *cluster
	client *restclient.Client
	users  map[string]restclient.User
}

func (c *cluster) newBook() *book {
	return &book{c, c.client(), map[string]restclient.User{}}
}

func (b *book) ok(r restclient.Result) {
	b.c.t.Helper()
	require.NoError(b.c.t, r.Err)
	require.Equal(b.c.t, restclient.OK, r.Outcome, r)
}

func (b *book) create(ids ...string) {
	b.c.t.Helper()
	for _, id := range ids {
		u := restclient.User{ID: id, Name: "Name of " + id, Email: id + "@example.com", Group: len(b.users)}
		b.ok(b.client.Create(b.c.t.Context(), u))
		b.users[id] = u
	}
}

func (b *book) update(name string, ids ...string) {
	b.c.t.Helper()
	for _, id := range ids {
		u := b.users[id]
		u.Name = name
		r := b.client.Update(b.c.t.Context(), id, restclient.Patch{Name: &name})
		b.ok(r)
		require.Equal(b.c.t, &u, r.User)
		b.users[id] = u
	}
}

func (b *book) remove(ids ...string) {
	b.c.t.Helper()
	for _, id := range ids {
		b.ok(b.client.Delete(b.c.t.Context(), id))
		delete(b.users, id)
		require.Equal(b.c.t, restclient.NotFound, b.client.Get(b.c.t.Context(), id).Outcome)
	}
}

// check reads everybody back equal.
func (b *book) check() {
	b.c.t.Helper()
	for id, u := range b.users {
		r := b.client.Get(b.c.t.Context(), id)
		b.ok(r)
		require.Equal(b.c.t, &u, r.User)
	}
}

func (b *book) ids() []string { return slices.Collect(maps.Keys(b.users)) }

// names returns n ids, which fall into all partitions alike.
func names(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(prefix, i)
	}
	return ids
}

// ways to take a node down.
func ways(c *cluster) map[string]func(i int) error {
	return map[string]func(int) error{"stopped": c.Stop, "crashed": c.Crash}
}

func (c *cluster) restart(nodes ...int) {
	c.t.Helper()
	for _, i := range nodes {
		require.NoError(c.t, c.Restart(i))
	}
	for _, i := range nodes {
		require.NoError(c.t, c.AwaitReady(i))
	}
}

// TestNodeDownAndBack takes each node down in turn: everything goes on, its
// witnesses keep hints for it, and once it is back it holds every record that
// it should at the newest ballot, and no hint is left.
func TestNodeDownAndBack(t *testing.T) {
	const n = 48
	onBothEngines(t, func(t *testing.T, cfg local.Config) {
		cfg.Gateway = unhurried
		c := start(t, cfg)
		b := c.newBook()
		for how, takeDown := range ways(c) {
			for node := range placement.Nodes {
				prefix := fmt.Sprintf("%s-%d-", how, node)
				b.create(names(prefix+"before-", n)...)
				require.NoError(t, takeDown(node))

				b.check()
				b.create(names(prefix+"during-", n)...)
				b.update("changed during the outage", names(prefix+"before-", n/2)...)
				b.remove(names(prefix+"before-", n)[n/2:]...)
				b.update("changed at once", names(prefix+"during-", n/2)...)
				b.check()
				c.awaitHintsFor(node)

				c.restart(node)
				b.check()
				c.audit(b.ids())
			}
		}
	})
}

// awaitHintsFor waits until the nodes that run hold hints, all for the one that
// doesn't.
func (c *cluster) awaitHintsFor(node int) {
	c.t.Helper()
	down := []string{fmt.Sprint("db-", node)}
	c.await(fmt.Sprint("hints are held for ", down), func() (bool, any) {
		var held int64
		s := c.status(0)
		for _, n := range s.Nodes {
			if !n.Up {
				continue
			}
			for _, h := range n.Status.Hints {
				if !slices.Equal(h.For, down) {
					return false, s
				}
				held += h.Records + h.Tombstones
			}
		}
		return held > 0, s
	})
}

// TestTwoNodesDown: without a quorum every request is refused with 503 and when
// to try again, never answered wrongly; with the nodes back nothing that was
// acknowledged is missing, and nothing that was refused is there.
func TestTwoNodesDown(t *testing.T) {
	c := start(t, local.Config{})
	b := c.newBook()
	u := restclient.User{ID: "never", Name: "N", Email: "n@example.com"}
	ids := names("u", 64)
	b.create(ids...)
	for alive := range placement.Nodes {
		one, other := (alive+1)%placement.Nodes, (alive+2)%placement.Nodes
		require.NoError(t, c.Stop(one))
		require.NoError(t, c.Crash(other))
		for _, id := range ids[:16] {
			never := u
			never.ID = "never-" + id
			for _, r := range []restclient.Result{
				b.client.Get(t.Context(), id),
				b.client.Get(t.Context(), never.ID),
				b.client.Create(t.Context(), never),
				b.client.Create(t.Context(), b.users[id]),
				b.client.Update(t.Context(), id, restclient.Patch{Name: &u.Name}),
				b.client.Delete(t.Context(), id),
			} {
				require.Equal(t, http.StatusServiceUnavailable, r.Status, r)
				require.Positive(t, r.RetryAfter)
				require.NoError(t, r.Err)
			}
		}
		status, _ := ask(t, http.MethodGet, c.Gateway(0)+wire.PathReady)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Len(t, c.status(0).Missing, 2)
		c.restart(one, other)
		c.awaitWhole()
		b.check()
		c.audit(ids)
	}
}

// TestRestartOfTheWholeClusterKeepsEverything, be it in order or by a power cut
// of all three at once.
func TestRestartOfTheWholeClusterKeepsEverything(t *testing.T) {
	onBothEngines(t, func(t *testing.T, cfg local.Config) {
		cfg.Gateway = unhurried
		c := start(t, cfg)
		b := c.newBook()
		boots := uint64(1)
		for how, takeDown := range ways(c) {
			ids := names(how, 96)
			b.create(ids...)
			b.update("changed", ids[:32]...)
			b.remove(ids[64:]...)
			for i := range placement.Nodes {
				require.NoError(t, takeDown(i))
			}
			c.restart(0, 1, 2)
			boots++
			b.check()
			for _, n := range c.nodes() {
				require.Equal(t, boots, n.Boots)
				require.EqualValues(t, 1, n.Incarnation)
			}
			c.audit(b.ids())
		}
	})
}

// TestHistoryWhileNodesComeAndGo: clients of two gateways go on with a few users
// while each node in turn is stopped or crashes and comes back; the history is
// linearizable.
func TestHistoryWhileNodesComeAndGo(t *testing.T) {
	const operations, stir, ids = 2400, 200, 24
	c := start(t, local.Config{Gateways: 2})
	begun := time.Now()
	recorder := history.NewRecorder(func() int64 { return int64(time.Since(begun)) })
	var all []*restclient.Recorded
	for number := range 8 {
		all = append(all, c.client(number%2).Recorded(recorder, number))
	}
	turns := make(chan int, operations/stir)
	var churn sync.WaitGroup
	churn.Go(func() {
		for turn := range turns { // down, back, down, back
			var err error
			switch node := turn / 2 % placement.Nodes; turn % 4 {
			case 0:
				err = c.Stop(node)
			case 2:
				err = c.Crash(node)
			default:
				err = c.Restart(node)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	var outcomes tally
	share(operations, all, func(i int, client *restclient.Recorded) {
		if i%stir == 0 {
			turns <- i / stir
		}
		u := restclient.User{ID: fmt.Sprint("u", (i+i/8*5)%ids), Name: fmt.Sprint("n", i), Email: "e@example.com", Group: i}
		switch i % 8 {
		case 0, 1:
			outcomes.note("create", client.Create(t.Context(), u))
		case 2:
			outcomes.note("delete", client.Delete(t.Context(), u.ID))
		case 3, 4, 5:
			outcomes.note("update", client.Update(t.Context(), u.ID, someField(i)))
		default:
			outcomes.note("read", client.Get(t.Context(), u.ID))
		}
	})
	close(turns)
	churn.Wait()
	t.Logf("%d operations in %v: %v", operations, time.Since(begun), outcomes.String())
	t.Log(history.Require(t, recorder.History(), patience, t.ArtifactDir()))
	c.awaitWhole()
}
