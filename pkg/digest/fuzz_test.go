package digest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/digest"
)

// FuzzDecode: a digest has one form and one length; it differs from another in the
// buckets whose bytes do.
func FuzzDecode(f *testing.F) {
	var tree digest.Tree
	tree.Toggle(1<<63, 7, 1)
	f.Add(tree.Append(nil), uint16(8))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		tree, err := digest.Decode(data)
		require.Equal(t, len(data) == digest.Size, err == nil)
		if err != nil {
			return
		}
		encoded := tree.Append(nil)
		require.Equal(t, data, encoded)
		require.Empty(t, tree.Diff(&tree))
		changed := int(at) % digest.Size
		encoded[changed]++
		other, err := digest.Decode(encoded)
		require.NoError(t, err)
		require.Equal(t, []int{changed / 8}, tree.Diff(&other))
	})
}
