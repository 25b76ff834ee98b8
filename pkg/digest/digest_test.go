package digest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/digest"
)

// ballot is what a key is held at.
type ballot struct {
	time     int64
	proposer uint64
}

type contents map[uint64]ballot // by the hash of the key

// fromScratch sums contents up, in whatever order a map yields them.
func (c contents) fromScratch() digest.Tree {
	var t digest.Tree
	for hash, b := range c {
		t.Toggle(hash, b.time, b.proposer)
	}
	return t
}

// hashes falls often on the same few keys, and into all buckets.
func hashes() *rapid.Generator[uint64] {
	return rapid.Custom(func(t *rapid.T) uint64 {
		return rapid.Uint64Range(0, digest.Buckets-1).Draw(t, "bucket")<<56 | rapid.Uint64Range(0, 3).Draw(t, "rest")
	})
}

func ballots() *rapid.Generator[ballot] {
	return rapid.Custom(func(t *rapid.T) ballot {
		return ballot{rapid.Int64Range(1, 5).Draw(t, "time"), rapid.Uint64Range(0, 3).Draw(t, "proposer")}
	})
}

// put replaces what a key is held at, as a write does.
func (c contents) put(t *digest.Tree, hash uint64, b ballot) {
	c.drop(t, hash)
	c[hash] = b
	t.Toggle(hash, b.time, b.proposer)
}

func (c contents) drop(t *digest.Tree, hash uint64) {
	if old, ok := c[hash]; ok {
		t.Toggle(hash, old.time, old.proposer)
		delete(c, hash)
	}
}

// history makes random writes and removals, with the digest kept beside.
func history(t *rapid.T) (contents, digest.Tree) {
	c, tree := contents{}, digest.Tree{}
	for range rapid.IntRange(0, 300).Draw(t, "writes") {
		hash := hashes().Draw(t, "hash")
		if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
			c.drop(&tree, hash)
			continue
		}
		c.put(&tree, hash, ballots().Draw(t, "ballot"))
	}
	return c, tree
}

func TestKeptWithEachWriteIsRecomputed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, kept := history(t)
		require.Equal(t, c.fromScratch(), kept)
		for hash := range c {
			c.drop(&kept, hash)
		}
		require.Equal(t, digest.Tree{}, kept, "nothing is left of what was taken out")
	})
}

// TestOneDifferingKeyIsFoundInItsBucket, and in no other: it is at another
// ballot, or missing.
func TestOneDifferingKeyIsFoundInItsBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, one := history(t)
		other := one
		require.Empty(t, one.Diff(&other))
		hash := hashes().Draw(t, "differing")
		was, held := c[hash]
		now := ballots().Draw(t, "now")
		if held && (now == was || rapid.Bool().Draw(t, "missing")) {
			c.drop(&other, hash)
		} else {
			c.put(&other, hash, now)
		}
		bucket := digest.Bucket(hash)
		require.True(t, bucket >= 0 && bucket < digest.Buckets)
		require.Equal(t, []int{bucket}, one.Diff(&other))
		require.Equal(t, []int{bucket}, other.Diff(&one))
	})
}

func TestEveryBucketIsUsed(t *testing.T) {
	seen := map[int]bool{}
	for top := range uint64(digest.Buckets) {
		seen[digest.Bucket(top<<56|0xffffff)] = true
	}
	require.Len(t, seen, digest.Buckets)
}

// TestBallotsAreToldApart: time and proposer that change places, or a sum that
// stays, are other ballots; so are two keys that exchange theirs.
func TestBallotsAreToldApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := ballots().Draw(t, "x"), ballots().Draw(t, "y")
		if x == y {
			return
		}
		hash := hashes().Draw(t, "hash")
		require.NotEqual(t, contents{hash: x}.fromScratch(), contents{hash: y}.fromScratch())
		twin := hash ^ 1 // in the same bucket
		require.NotEqual(t, contents{hash: x, twin: y}.fromScratch(), contents{hash: y, twin: x}.fromScratch())
	})
}

func TestEncodingRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, tree := history(t)
		encoded := tree.Append([]byte("kept"))
		require.Equal(t, "kept", string(encoded[:4]))
		require.Len(t, encoded[4:], digest.Size)
		decoded, err := digest.Decode(encoded[4:])
		require.NoError(t, err)
		require.Equal(t, tree, decoded)
	})
	for _, size := range []int{0, digest.Size - 1, digest.Size + 1} {
		_, err := digest.Decode(make([]byte, size))
		require.ErrorContains(t, err, "not 2048")
	}
}
