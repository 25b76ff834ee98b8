package mem

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// check returns the keys of a tree and its depth, and fails when a node is out
// of order or ranks above its parent.
func check(t *testing.T, n *node) (keys []string, depth int) {
	t.Helper()
	if n == nil {
		return nil, 0
	}
	for _, child := range []*node{n.left, n.right} {
		require.True(t, child == nil || child.priority <= n.priority)
	}
	left, l := check(t, n.left)
	right, r := check(t, n.right)
	keys = append(append(left, n.key), right...)
	return keys, 1 + max(l, r)
}

func TestTreeStaysBalancedAndOldRootsStayAsTheyAre(t *testing.T) {
	const n = 20_000
	var root, half *node
	var all, odd []string
	for i := range n { // in order: the worst case without priorities
		key := fmt.Sprintf("%05d", i)
		root = root.put(key, nil)
		all = append(all, key)
		if i == n/2-1 {
			half = root
		}
	}
	full := root
	for i := range n {
		if i%2 == 0 {
			root = root.remove(all[i])
		} else {
			odd = append(odd, all[i])
		}
	}
	for tree, want := range map[*node][]string{full: all, half: all[:n/2], root: odd} {
		keys, depth := check(t, tree)
		require.Equal(t, want, keys)
		require.Less(t, depth, 50)
	}
}
