// Package mem keeps a node's records in memory, with the contract of a real
// disk: a crash forgets exactly what was not synced.
//
// Invariants:
//   - A Disk holds what is durable and nothing else.
//   - Readers see whole steps only: every change replaces the content at once.
package mem

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/dyad-db/dyad/dbnode/store"
)

var errCrashed = errors.New("the node crashed")

// Disk is what outlives a store and its crashes. One store at a time has it open.
type Disk struct {
	mu     sync.Mutex
	root   *node
	bytes  int64
	broken error
	open   opener
}

// opener is the store that has a disk open.
type opener interface {
	// crashed runs the dones of what is queued, with an error. The disk takes
	// no write of the store any more.
	crashed()
}

// NewDisk returns an empty disk.
func NewDisk() *Disk { return &Disk{} }

// Clone returns a disk that holds what is durable on d now, open nowhere.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{root: d.root, bytes: d.bytes}
}

// Crash cuts the power. The open store, if any, is dead from then on: steps not
// yet synced are lost, and their dones have run with an error wrapping
// store.ErrFailed when Crash returns; later calls answer store.ErrClosed. The
// disk can be opened again and is whole, even if Break was called. Not to be
// called from a done.
func (d *Disk) Crash() {
	d.mu.Lock()
	s := d.open
	d.open, d.broken = nil, nil
	d.mu.Unlock()
	if s != nil {
		s.crashed()
	}
}

// Break makes every write fail with err until the disk is opened anew, as a full
// or worn disk would.
func (d *Disk) Break(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

// Flip flips one bit of the value at key, as worn media do; it does nothing where
// there is none. Disks cloned before stay as they are.
func (d *Disk) Flip(key []byte, bit int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.root.get(key)
	if n == nil || bit >= 8*len(n.value) {
		return
	}
	value := bytes.Clone(n.value)
	value[bit/8] ^= 1 << (bit % 8)
	d.root = d.root.put(n.key, value)
}

func (d *Disk) acquire(s opener) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		return fmt.Errorf("%w: this memory disk; close its store first", store.ErrLocked)
	}
	d.open, d.broken = s, nil
	return nil
}

func (d *Disk) release(s opener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == s {
		d.open = nil
	}
}

// sync makes ops durable and visible as one step. It copies what it keeps.
func (d *Disk) sync(s opener, ops []store.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.open != s:
		return errCrashed
	case d.broken != nil:
		return d.broken
	}
	root, size := d.root, d.bytes
	for i := range ops {
		old := root.get(ops[i].Key)
		if old != nil {
			size -= int64(len(old.key) + len(old.value))
		}
		switch {
		case !ops[i].Delete:
			root = root.put(string(ops[i].Key), append([]byte{}, ops[i].Value...))
			size += int64(len(ops[i].Key) + len(ops[i].Value))
		case old != nil:
			root = root.remove(old.key)
		}
	}
	d.root, d.bytes = root, size
	return nil
}

// view is the half of a store that reads.
type view struct {
	disk *Disk
	self opener
}

// content returns what is durable now; it stays as it is.
func (v view) content() (root *node, size int64, err error) {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	if v.disk.open != v.self {
		return nil, 0, store.ErrClosed
	}
	return v.disk.root, v.disk.bytes, nil
}

// Get implements store.Store.
func (v view) Get(key []byte) ([]byte, error) {
	root, _, err := v.content()
	if err != nil {
		return nil, err
	}
	n := root.get(key)
	if n == nil {
		return nil, nil
	}
	return bytes.Clone(n.value), nil
}

// Scan implements store.Store.
func (v view) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	root, _, err := v.content()
	if err != nil {
		return err
	}
	root.scan(string(from), string(to), fn)
	return nil
}

// Usage returns the bytes of all keys and values.
func (v view) Usage() (int64, error) {
	_, size, err := v.content()
	return size, err
}

// Space is without a bound: memory is not watched.
func (v view) Space() (store.Space, error) { return store.Space{}, nil }

// Compact does nothing: memory holds each record once.
func (v view) Compact() error {
	_, _, err := v.content()
	return err
}

// Store is a store.Store on a Disk. Like a real one it writes on a goroutine of
// its own.
type Store struct {
	view
	committer *store.Committer
}

// Open opens the store on d. It returns an error wrapping store.ErrLocked when d
// is open already.
func Open(d *Disk) (*Store, error) {
	s := &Store{}
	s.view = view{disk: d, self: s}
	if err := d.acquire(s); err != nil {
		return nil, err
	}
	s.committer = store.NewCommitter(func(ops []store.Op) error { return d.sync(s, ops) })
	return s, nil
}

// Write implements store.Store.
func (s *Store) Write(ops []store.Op, done func(error)) { s.committer.Write(ops, done) }

// Stats returns what the committer did since Open.
func (s *Store) Stats() store.Stats { return s.committer.Stats() }

// Close implements store.Store. It doesn't wait for scans: they read a snapshot.
func (s *Store) Close() error {
	err := s.committer.Close()
	s.disk.release(s)
	return err
}

func (s *Store) crashed() { _ = s.committer.Close() }
