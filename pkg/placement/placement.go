// Package placement says where a key lives: key -> partition -> the two data
// replicas and the witness of its group.
//
// Invariants: the number of partitions is fixed when the cluster is made; every
// program that has the same number computes the same places; with three nodes
// each is first data replica, second data replica and witness of a third of the
// partitions.
package placement

import "fmt"

// Bounds of a cluster.
const (
	Nodes             = 3  // acceptors of a group, and nodes of a cluster
	DefaultPartitions = 64 // unless the cluster was made with another number
	MaxPartitions     = 4096
)

// Map places keys. The zero Map is of no use; make one with New.
type Map struct {
	partitions int
}

// New returns the map of a cluster with that many partitions, 1 to
// MaxPartitions.
func New(partitions int) (Map, error) {
	if partitions < 1 || partitions > MaxPartitions {
		return Map{}, fmt.Errorf("partitions must be 1 to %d, not %d", MaxPartitions, partitions)
	}
	return Map{partitions}, nil
}

// Partitions returns how many there are.
func (m Map) Partitions() int { return m.partitions }

// Partition returns the partition of key.
func (m Map) Partition(key string) int { return int(Hash(key) % uint64(m.partitions)) }

// Group returns the nodes of a partition: first data replica, second data
// replica, witness.
func (m Map) Group(partition int) [Nodes]int {
	return [Nodes]int{partition % Nodes, (partition + 1) % Nodes, (partition + 2) % Nodes}
}

// Seat returns which of Group(partition) the node is.
func (m Map) Seat(partition, node int) int {
	return (node - partition%Nodes + Nodes) % Nodes
}

// Hash is 64-bit FNV-1a with a final mix, since the low bits of FNV-1a alone
// are uneven for short keys. It is part of the on-disk format: never change it.
// Sources: Fowler, Noll, Vo; the mix is MurmurHash3's fmix64 (Appleby).
func Hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h ^= uint64(key[i])
		h *= 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
