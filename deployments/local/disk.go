package local

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/dbnode"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
)

// disk is where a node's store lives: a directory, or memory.
type disk struct {
	dir string // of the store; empty in memory

	mu     sync.Mutex
	memory *mem.Disk
	copied *mem.Disk // what Copy kept
	open   *crashable
}

func newDisk(dir, id string) *disk {
	if dir == "" {
		return &disk{memory: mem.NewDisk()}
	}
	return &disk{dir: filepath.Join(dir, id, "store")}
}

// Open satisfies dbnode.Disk.
func (d *disk) Open() (dbnode.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var st dbnode.Store
	var err error
	if d.dir == "" {
		st, err = mem.Open(d.memory)
	} else {
		st, err = rocks.Open(d.dir)
	}
	if err != nil {
		return nil, err
	}
	d.open = &crashable{Store: st}
	return d.open, nil
}

// SetAside satisfies dbnode.Disk.
func (d *disk) SetAside() (string, error) {
	if d.dir == "" {
		return "nothing: it was in memory", d.wipe()
	}
	return rocks.SetAside(d.dir, time.Now())
}

func (d *disk) crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		d.open.dead.Store(true)
	}
	if d.dir == "" {
		d.memory.Crash()
	}
}

func (d *disk) wipe() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir != "" {
		return os.RemoveAll(d.dir)
	}
	d.memory = mem.NewDisk()
	return nil
}

var errNoCopy = errors.New("only a disk in memory that was copied can be rolled back")

func (d *disk) keepCopy() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir != "" {
		return errNoCopy
	}
	d.copied = d.memory.Clone()
	return nil
}

func (d *disk) rollBack() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.copied == nil {
		return errNoCopy
	}
	d.memory = d.copied.Clone()
	return nil
}

// crashable is a store that takes no write after its node's crash, so that the
// node's orderly end leaves no trace on disk.
type crashable struct {
	dbnode.Store
	dead atomic.Bool
}

// Write satisfies store.Store.
func (s *crashable) Write(ops []store.Op, done func(error)) {
	if s.dead.Load() {
		done(store.ErrClosed)
		return
	}
	s.Store.Write(ops, done)
}
