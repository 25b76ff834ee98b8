// Package digest sums up what a partition holds, so that two replicas can tell
// in a few kilobytes whether, and where, they differ.
//
// Invariant: two trees are equal if the same (key, ballot) pairs were put in,
// in any order, net of those taken out; if they differ, they are equal with a
// chance of 2^-64 per bucket.
package digest

import (
	"encoding/binary"
	"fmt"
)

// Buckets of a tree. A key's bucket depends on the key alone.
const Buckets = 256

// Size of an encoded tree, in bytes.
const Size = 8 * Buckets

// Tree is the digest of one partition: a XOR of hashes per bucket. The zero Tree
// is that of an empty partition.
type Tree struct {
	sums [Buckets]uint64
}

// Bucket returns the bucket of a key with that hash.
func Bucket(hash uint64) int { return int(hash >> 56) }

// Toggle puts in a pair that is not there, or takes out one that is: a key, by
// its 64-bit hash, and its record's ballot, by time and proposer.
func (t *Tree) Toggle(hash uint64, time int64, proposer uint64) {
	t.sums[Bucket(hash)] ^= mix(hash ^ mix(uint64(time)^mix(proposer)))
}

// mix is a bijection that spreads each bit over all. Source: SplitMix64
// (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Diff returns the buckets in which t and o differ.
func (t *Tree) Diff(o *Tree) []int {
	var out []int
	for i := range t.sums {
		if t.sums[i] != o.sums[i] {
			out = append(out, i)
		}
	}
	return out
}

// Append appends the encoded tree, Size bytes, to b.
func (t *Tree) Append(b []byte) []byte {
	for _, s := range t.sums {
		b = binary.BigEndian.AppendUint64(b, s)
	}
	return b
}

// Decode reads a tree.
func Decode(b []byte) (Tree, error) {
	var t Tree
	if len(b) != Size {
		return t, fmt.Errorf("a digest of %d bytes, not %d", len(b), Size)
	}
	for i := range t.sums {
		t.sums[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return t, nil
}
