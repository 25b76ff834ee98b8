package local

import (
	"bytes"
	"errors"
	"fmt"
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

// Space satisfies dbnode.Disk.
func (d *disk) Space() (store.Space, error) {
	if d.dir == "" {
		return store.Space{}, nil
	}
	return rocks.SpaceOf(filepath.Dir(d.dir))
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

// CorruptFile inverts a byte in the middle of the largest file of that pattern in
// the directory of a store.
func CorruptFile(dir, pattern string) error {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	var name string
	var content []byte
	for _, file := range files {
		c, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if len(c) > len(content) {
			name, content = file, c
		}
	}
	if dir == "" || name == "" {
		return fmt.Errorf("no file %s in %q, or an empty one", pattern, dir)
	}
	content[len(content)/2] ^= 0xff
	return os.WriteFile(name, content, 0o600)
}

func (d *disk) rot(from, to []byte, n int) (int, error) {
	d.mu.Lock()
	st := d.open
	d.mu.Unlock()
	var ops []store.Op
	err := st.Scan(from, to, func(key, value []byte) bool {
		value = bytes.Clone(value)
		value[len(value)/2] ^= 4
		ops = append(ops, store.Op{Key: bytes.Clone(key), Value: value})
		return len(ops) < n
	})
	if err != nil {
		return 0, err
	}
	landed := make(chan error, 1)
	st.Write(ops, func(err error) { landed <- err })
	return len(ops), <-landed
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
