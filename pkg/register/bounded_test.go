package register

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestBounded compares with a list in order of writing.
func TestBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		m := newBounded(limit)
		var order []string
		content := map[string]Ballot{}
		for i := range rapid.IntRange(0, 200).Draw(t, "steps") {
			key := rapid.StringMatching("[a-h]").Draw(t, "key")
			if rapid.IntRange(0, 3).Draw(t, "drop") == 0 {
				m.drop(key)
				delete(content, key)
				order = slices.DeleteFunc(order, func(k string) bool { return k == key })
				continue
			}
			b := at(int64(i + 1))
			evictedKey, evicted := m.put(key, b)
			order = append(slices.DeleteFunc(order, func(k string) bool { return k == key }), key)
			content[key] = b
			if len(order) > limit {
				require.Equal(t, order[0], evictedKey)
				require.Equal(t, content[order[0]], evicted)
				delete(content, order[0])
				order = order[1:]
			} else {
				require.True(t, evicted.IsZero())
			}
			require.LessOrEqual(t, len(m.entries), limit)
			require.LessOrEqual(t, len(m.queue), 2*limit)
			for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				got, ok := m.get(k)
				want, known := content[k]
				require.Equal(t, known, ok)
				require.Equal(t, want, got)
			}
		}
	})
}
