package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/tests/restclient"
)

// seats are the numbers of an id's nodes.
type seats struct{ d1, d2, w int }

// idWith returns an id whose first data replica is that node, and its nodes.
func idWith(t *testing.T, d1 int) (string, seats) {
	t.Helper()
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(t, err)
	for i := 0; ; i++ {
		id := fmt.Sprintf("id-%d-%d", d1, i)
		if g := places.Group(places.Partition(id)); g[register.SeatD1] == d1 {
			return id, seats{g[register.SeatD1], g[register.SeatD2], g[register.SeatW]}
		}
	}
}

// eachGroup runs a fault for an id of each group of nodes, and for both ways to
// take a node down.
func eachGroup(t *testing.T, test func(c *cluster, b *book, takeDown func(int) error, id string, at seats)) {
	for _, how := range []string{"stopped", "crashed"} {
		for d1 := range placement.Nodes {
			t.Run(fmt.Sprintf("%s/db-%d", how, d1), func(t *testing.T) {
				c := start(t, local.Config{Gateway: unhurried})
				id, at := idWith(t, d1)
				takeDown := func(i int) error { return ways(c)[how](i) }
				test(c, c.newBook(), takeDown, id, at)
			})
		}
	}
}

// TestStaleReplicaNeverAnswers: a write was acknowledged by the first data
// replica and the witness; then the first stops, and the second, which lacks the
// write, comes back.
func TestStaleReplicaNeverAnswers(t *testing.T) {
	eachGroup(t, func(c *cluster, b *book, takeDown func(int) error, id string, at seats) {
		b.create(id)
		require.NoError(c.t, takeDown(at.d2))
		b.update("new", id)
		require.NoError(c.t, takeDown(at.d1))
		c.restart(at.d2)
		b.check()
	})
}

// TestCreateIfAbsentMeetsAStaleReplica: the user was created while the second
// data replica was away.
func TestCreateIfAbsentMeetsAStaleReplica(t *testing.T) {
	eachGroup(t, func(c *cluster, b *book, takeDown func(int) error, id string, at seats) {
		require.NoError(c.t, takeDown(at.d2))
		b.create(id)
		require.NoError(c.t, takeDown(at.d1))
		c.restart(at.d2)
		r := b.client.Create(c.t.Context(), restclient.User{ID: id, Name: "second", Email: "second@example.com"})
		require.Equal(c.t, restclient.Exists, r.Outcome, r)
		b.check()
	})
}

// TestDeletedUserStaysDeleted: a replica that was away during the deletion comes
// back and answers together with either of the others.
func TestDeletedUserStaysDeleted(t *testing.T) {
	eachGroup(t, func(c *cluster, b *book, takeDown func(int) error, id string, at seats) {
		b.create(id)
		require.NoError(c.t, takeDown(at.d2))
		b.remove(id)
		require.NoError(c.t, takeDown(at.d1))
		c.restart(at.d2)
		require.Equal(c.t, restclient.NotFound, b.client.Get(c.t.Context(), id).Outcome)
		c.restart(at.d1)
		c.awaitWhole()
		require.NoError(c.t, takeDown(at.w))
		require.Equal(c.t, restclient.NotFound, b.client.Get(c.t.Context(), id).Outcome)
		b.create(id) // the id is free again
		c.restart(at.w)
		c.audit([]string{id})
	})
}

// TestOldHintMeetsNewerRecord: the witness was away with its hint while both
// data replicas took something newer.
func TestOldHintMeetsNewerRecord(t *testing.T) {
	eachGroup(t, func(c *cluster, b *book, takeDown func(int) error, id string, at seats) {
		b.create(id)
		require.NoError(c.t, takeDown(at.d2))
		b.update("kept as a hint", id)
		require.NoError(c.t, takeDown(at.w))
		c.restart(at.d2)
		b.update("newer", id)
		c.restart(at.w)
		b.check()
		c.audit([]string{id})
	})
}

// TestPowerCutOfAllNodesKeepsWhatWasAcknowledged, in the middle of writing.
func TestPowerCutOfAllNodesKeepsWhatWasAcknowledged(t *testing.T) {
	c := start(t, local.Config{Gateway: unhurried})
	for cut := range 3 {
		var mu sync.Mutex
		acknowledged := map[string]bool{}
		var dark sync.WaitGroup
		begun := make(chan struct{})
		dark.Go(func() {
			<-begun
			for i := range placement.Nodes {
				if err := c.Crash(i); err != nil {
					t.Error(err)
				}
			}
		})
		share(512, many(clients, c.client()), func(i int, client *restclient.Client) {
			if i == 256 {
				close(begun)
			}
			id := fmt.Sprintf("cut-%d-%d", cut, i)
			r := client.Create(t.Context(), restclient.User{ID: id, Name: "N", Email: "n@example.com"})
			mu.Lock()
			defer mu.Unlock()
			acknowledged[id] = r.Outcome == restclient.OK
		})
		dark.Wait()
		c.restart(0, 1, 2)
		c.awaitWhole()
		client, kept := c.client(), 0
		for id, ok := range acknowledged {
			if !ok {
				continue
			}
			kept++
			requireOK(t, client.Get(t.Context(), id))
		}
		t.Logf("%d of %d acknowledged, all there", kept, len(acknowledged))
	}
}
