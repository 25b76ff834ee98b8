package placement_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
)

// FuzzPartition: every id has a place, the same each time, and three nodes with a
// seat each.
func FuzzPartition(f *testing.F) {
	f.Add("ada", 64)
	f.Add("", 1)
	f.Add("\xff", placement.MaxPartitions)
	f.Add("x", 0)
	f.Fuzz(func(t *testing.T, id string, partitions int) {
		places, err := placement.New(partitions)
		require.Equal(t, partitions >= 1 && partitions <= placement.MaxPartitions, err == nil)
		if err != nil {
			return
		}
		p := places.Partition(id)
		require.True(t, p >= 0 && p < partitions)
		require.Equal(t, p, places.Partition(id))
		group := places.Group(p)
		for node := range placement.Nodes {
			require.Equal(t, slices.Index(group[:], node), places.Seat(p, node))
		}
	})
}
