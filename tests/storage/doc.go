// Package storage proves of the store of a node, over RocksDB, what a node tells
// its clients: that what was acknowledged is on disk. A process writes steps that
// follow from a seed and says which are durable; it is killed at some system call,
// a call of it fails, or the power of its disk is cut. The next process must find
// exactly the state after some step, none earlier than the last acknowledged one:
// so nothing is lost, torn or out of order.
//
// Invariants: the judge is another process than the one that is judged, and knows
// the steps from the seed alone; a few rounds of each run in a plain `go test`, and
// DYAD_KILLS, DYAD_ERRORS and DYAD_CUTS say how many; DYAD_SEED repeats what was
// drawn, though the kernel's threads come in another order each time.
package storage
