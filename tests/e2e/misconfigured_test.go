package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/gateway"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/restclient"
)

// TestMisconfiguredGatewayIsRefused: a gateway that was told another number of
// partitions, or whose node addresses are mixed up, serves nothing and stores
// nothing, and its status says what to mend.
func TestMisconfiguredGatewayIsRefused(t *testing.T) {
	const sound = 0
	wrong := map[int]string{1: "--partitions", 2: "--nodes"}
	made := 0
	c := start(t, local.Config{Gateways: 3, Gateway: func(cfg *gateway.Config) {
		switch made {
		case sound:
			unhedged(cfg) // what the nodes are asked is counted
		case 1:
			cfg.Partitions *= 2
		case 2:
			cfg.Nodes = slices.Clone(cfg.Nodes)
			cfg.Nodes[0].URL, cfg.Nodes[1].URL, cfg.Nodes[2].URL = cfg.Nodes[1].URL, cfg.Nodes[2].URL, cfg.Nodes[0].URL
		}
		made++
	}})
	b := c.newBook()
	b.create(names("u", 16)...)
	awaitWhole(t, c.Gateway(sound)) // a late reply may have left hints, whose delivery is counted, too
	before := c.nodes()
	for number, hint := range wrong {
		client := c.client(number)
		for id := range b.users {
			for _, r := range []restclient.Result{
				client.Get(t.Context(), id),
				client.Update(t.Context(), id, restclient.Patch{Name: &hint}),
				client.Delete(t.Context(), id),
				client.Create(t.Context(), restclient.User{ID: "new-" + id, Name: "N", Email: "n@example.com"}),
			} {
				require.Equal(t, restclient.Unavailable, r.Outcome, r)
			}
		}
		s := c.status(number)
		require.False(t, s.Whole)
		for _, n := range s.Nodes {
			require.False(t, n.Up)
			require.Contains(t, n.Error, hint)
		}
		status, _ := ask(t, http.MethodGet, c.Gateway(number)+wire.PathReady)
		require.Equal(t, http.StatusServiceUnavailable, status)
	}
	require.True(t, c.status(sound).Whole)
	b.check()
	after := c.nodes()
	for i := range before {
		require.Equal(t, before[i].Data, after[i].Data)
		require.Equal(t, before[i].AsData.Accept, after[i].AsData.Accept)
		require.Equal(t, before[i].AsWitness, after[i].AsWitness)
	}
	c.audit(b.ids())
}

// TestBallotsOfGatewaysDiffer: gateways with one configuration, started at once,
// propose under numbers of their own.
func TestBallotsOfGatewaysDiffer(t *testing.T) {
	c := start(t, local.Config{Gateways: 4, Gateway: unhurried})
	proposers := map[uint64]bool{}
	for i := range 4 {
		requireOK(t, c.client(i).Create(t.Context(), restclient.User{ID: names("u", 4)[i], Name: "N", Email: "n@example.com"}))
	}
	for _, line := range c.records() {
		proposers[line.Ballot.Proposer] = true
	}
	require.Len(t, proposers, 4)
}
