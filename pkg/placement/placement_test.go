package placement_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
)

func TestEveryNodeHasEachSeatOfAThird(t *testing.T) {
	m, err := placement.New(63)
	require.NoError(t, err)
	var seats [placement.Nodes][placement.Nodes]int
	for p := range m.Partitions() {
		g := m.Group(p)
		for seat, node := range g {
			seats[node][seat]++
			require.Equal(t, seat, m.Seat(p, node))
		}
		require.NotEqual(t, g[0], g[1])
		require.NotEqual(t, g[0], g[2])
		require.NotEqual(t, g[1], g[2])
	}
	for node := range seats {
		require.Equal(t, [3]int{21, 21, 21}, seats[node])
	}
}

func TestKeysSpreadEvenly(t *testing.T) {
	m, err := placement.New(placement.DefaultPartitions)
	require.NoError(t, err)
	const keys = 64_000
	counts := make([]int, m.Partitions())
	for i := range keys {
		counts[m.Partition(fmt.Sprintf("%07X", i))]++
	}
	for p, n := range counts {
		require.InDelta(t, keys/len(counts), n, 200, "partition %d", p)
	}
}

// The places are part of the on-disk format: these values never change.
func TestPlacesAreFixed(t *testing.T) {
	m, err := placement.New(64)
	require.NoError(t, err)
	got := map[string]int{}
	for _, k := range []string{"", "a", "ada", "3F2A81C", "0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"} {
		got[k] = m.Partition(k)
	}
	require.Equal(t, map[string]int{"": 38, "a": 27, "ada": 41, "3F2A81C": 30, "0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b": 11}, got)
}

func TestBounds(t *testing.T) {
	for _, n := range []int{0, -1, placement.MaxPartitions + 1} {
		_, err := placement.New(n)
		require.Error(t, err)
	}
}
