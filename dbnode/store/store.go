// Package store is what a storage engine promises to a node, and the committer
// that both engines share.
//
// Invariants:
//   - Get and Scan show only what is durable: a write is visible from just
//     before its done is called, and survives any crash from then on.
//   - Writes become durable in the order in which Write was called; a crash
//     keeps a prefix of them.
//   - After a failed write or sync nothing is written or reported durable any
//     more: what the engine holds in memory can't be trusted.
package store

import "errors"

// ErrLocked says that another process, or another Store, has the data open.
var ErrLocked = errors.New("the data directory is in use by another process")

// ErrFailed is what every write answers after one failed.
var ErrFailed = errors.New("an earlier write or sync failed; the store stopped")

// ErrClosed is what a call answers once Close was called.
var ErrClosed = errors.New("the store is closed")

// ErrDamaged says that the medium may lack what was acknowledged: it must not be
// used as if nothing had happened.
var ErrDamaged = errors.New("the stored data is damaged and may lack acknowledged writes")

// Op puts Value at Key, or removes Key when Delete is set.
type Op struct {
	Key    []byte
	Value  []byte
	Delete bool
}

// Space is the room on a store's medium, in bytes.
type Space struct {
	Free  int64 // that this process may still use
	Total int64 // 0 means that the medium has no bound
}

// Store is one node's durable, ordered map. All methods may be called at once
// from many goroutines. A call after Close is answered with ErrClosed.
type Store interface {
	// Get returns the durable value of key: nil when there is none, an empty
	// slice when the value is empty. The slice belongs to the caller.
	Get(key []byte) ([]byte, error)
	// Write queues ops as one atomic step and returns; of two ops on one key
	// the later wins. done runs exactly once, on the committer, in the order of
	// the Write calls, when the step and every earlier one are durable, or with
	// the error that stopped the store. It must not block, nor call Close. No
	// ops at all make a barrier, which costs no sync. The caller must not modify
	// ops, nor the bytes they hold, until done has run. After Close done runs on
	// the caller, with ErrClosed, before Write returns.
	Write(ops []Op, done func(error))
	// Scan calls fn in key order for every key in [from, to) until fn returns
	// false, as of one moment between two steps. An empty to is no bound. The
	// slices are valid only during the call of fn and must not be modified. fn
	// may read and write, but must not call Close, which waits for the scan.
	Scan(from, to []byte, fn func(key, value []byte) bool) error
	// Usage returns the bytes that the store occupies on its medium.
	Usage() (int64, error)
	// Close makes everything queued durable, waits for calls under way, then
	// releases the medium. It returns the error that stopped the store, if any.
	Close() error
}
