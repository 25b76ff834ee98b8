// Package rocks keeps a node's records in RocksDB. It is the only package that
// knows RocksDB, and the only one that uses cgo.
//
// Invariants:
//   - One goroutine writes: the committer, one synced batch at a time. So a
//     crash can leave at most one batch unfinished, at the very end of the log.
//   - RocksDB is closed only when no call into it is under way.
//   - No slice of RocksDB's memory leaves a call, except to the fn of Scan.
package rocks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/linxGnu/grocksdb"

	"github.com/dyad-db/dyad/dbnode/store"
)

// Store is a store.Store in one directory, which belongs to it while it is open.
type Store struct {
	dir       string
	db        *grocksdb.DB
	read      *grocksdb.ReadOptions
	write     *grocksdb.WriteOptions
	release   func() // frees what db was opened with
	committer *store.Committer
	gate      gate
	closing   func() error
	batch     []byte // the committer's own
}

// Open opens the store in dir and makes the directory when there is none. It
// returns an error wrapping store.ErrLocked when dir is open already, here or in
// another process.
func Open(dir string) (*Store, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("data directory: %w; give a directory that this process may write", err)
	}
	cache := newCache()
	options, err := newOptions(cache)
	if err != nil {
		cache.Destroy()
		return nil, fmt.Errorf("options of RocksDB: %w; is librocksdb older than 7.8?", err)
	}
	release := func() {
		options.Destroy()
		cache.Destroy()
	}
	db, err := openDB(options, dir)
	if err != nil {
		release()
		return nil, err
	}
	s := &Store{dir: dir, db: db, release: release}
	s.read = grocksdb.NewDefaultReadOptions()
	s.write = grocksdb.NewDefaultWriteOptions()
	s.write.SetSync(true)
	s.gate.idle.L = &s.gate.mu
	s.closing = sync.OnceValue(s.shut)
	s.committer = store.NewCommitter(s.commit)
	return s, nil
}

// Get implements store.Store.
func (s *Store) Get(key []byte) ([]byte, error) {
	if !s.gate.enter() {
		return nil, store.ErrClosed
	}
	defer s.gate.leave()
	value, err := s.db.Get(s.read, key)
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w", s.dir, classified(err))
	}
	defer value.Free()
	if !value.Exists() {
		return nil, nil
	}
	return append([]byte{}, value.Data()...), nil
}

// Write implements store.Store.
func (s *Store) Write(ops []store.Op, done func(error)) { s.committer.Write(ops, done) }

// Scan implements store.Store. It costs some calls through cgo per key, so keep
// it off paths that a request waits for.
func (s *Store) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	if !s.gate.enter() {
		return store.ErrClosed
	}
	defer s.gate.leave()
	options := grocksdb.NewDefaultReadOptions()
	defer options.Destroy()
	options.SetFillCache(false) // one pass over everything would push out what Get needs
	if len(to) > 0 {
		var pin runtime.Pinner // the iterator keeps the pointer
		defer pin.Unpin()
		to = bytes.Clone(to)
		pin.Pin(&to[0])
		options.SetIterateUpperBound(to)
	}
	it := s.db.NewIterator(options)
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		if !fn(it.Key().Data(), it.Value().Data()) {
			break
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("scan of %s: %w", s.dir, classified(err))
	}
	return nil
}

// Usage returns the sum of the sizes of the files in the directory.
func (s *Store) Usage() (int64, error) {
	if !s.gate.enter() {
		return 0, store.ErrClosed
	}
	defer s.gate.leave()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // a compaction removed it just now
		case err != nil:
			return 0, err
		case info.Mode().IsRegular():
			sum += info.Size()
		}
	}
	return sum, nil
}

// Compact rewrites everything into the last level, so that the directory holds
// each record once and no log. Close cuts it short.
func (s *Store) Compact() error {
	if !s.gate.enter() {
		return store.ErrClosed
	}
	defer s.gate.leave()
	const failures = "rocksdb.background-errors"
	before, _ := s.db.GetIntProperty(failures)
	// Until deletions are enabled again no obsolete file goes; then all go at
	// once, instead of some time after Compact has returned.
	if err := s.db.DisableFileDeletions(); err != nil {
		return fmt.Errorf("compact %s: %w", s.dir, err)
	}
	options := grocksdb.NewCompactRangeOptions()
	defer options.Destroy()
	options.SetBottommostLevelCompaction(grocksdb.KForce)
	s.db.CompactRangeOpt(grocksdb.Range{}, options)
	if err := s.db.EnableFileDeletions(false); err != nil {
		return fmt.Errorf("compact %s: %w", s.dir, err)
	}
	if s.gate.isClosed() {
		return store.ErrClosed
	}
	// The C interface doesn't return the outcome of a compaction.
	if after, _ := s.db.GetIntProperty(failures); after != before {
		return fmt.Errorf("compact %s: failed; see the LOG file there", s.dir)
	}
	return nil
}

// Stats returns what the committer did since Open.
func (s *Store) Stats() store.Stats { return s.committer.Stats() }

// Close implements store.Store. A later call returns the same.
func (s *Store) Close() error { return s.closing() }

func (s *Store) shut() error {
	err := s.committer.Close()
	s.gate.close()
	s.db.DisableManualCompaction() // ends one that is under way
	s.gate.wait()
	s.db.Close()
	s.read.Destroy()
	s.write.Destroy()
	s.release()
	return err
}

// commit writes ops as one batch, which crosses cgo whole.
func (s *Store) commit(ops []store.Op) error {
	s.batch = appendBatch(s.batch[:0], ops)
	batch := grocksdb.WriteBatchFrom(s.batch)
	defer batch.Destroy()
	return classified(s.db.Write(s.write, batch))
}

// gate counts the calls under way, so that Close can wait for them.
type gate struct {
	mu     sync.Mutex
	idle   sync.Cond // inside fell to zero
	inside int
	closed bool
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 {
		g.idle.Broadcast()
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// close lets nobody in any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// wait returns when all have left.
func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inside > 0 {
		g.idle.Wait()
	}
}
