package replica

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/placement"
)

func TestStoreBelongsToOneNode(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.store.Close())
	places, err := placement.New(4)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"another node":      {func(c *Config) { c.NodeID = "n1" }, `the data belongs to node "n0", not "n1"`},
		"another partition": {func(c *Config) { c.Places = places }, "made with 3 partitions, not 4"},
		"no epoch":          {func(c *Config) { c.Epoch = 0 }, "epoch must not be zero"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, 9)
			c.change(&cfg)
			st, err := mem.OpenManual(b.disk)
			require.NoError(t, err)
			_, err = Open(cfg, st)
			require.ErrorContains(t, err, c.says)
			require.NoError(t, st.Close())
		})
	}
	b.open()
	require.Equal(t, Identity{NodeID: "n0", Partitions: 3, Incarnation: 1, Boots: 2}, b.Identity(), "refused starts don't count")
}
