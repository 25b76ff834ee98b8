package rocks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/linxGnu/grocksdb"

	"github.com/dyad-db/dyad/dbnode/store"
)

// makeDir makes dir and the directories above it, each one durable: otherwise a
// power cut could take the whole directory away, synced files and all. What is
// there already may have been made by a process that was killed right after.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		err := syncDir(filepath.Dir(dir))
		if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL) {
			return nil // dir is a mount point there, or was made for us
		}
		return err
	case err == nil:
		return &os.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// openDB opens RocksDB. The options make it refuse a damaged log, for a lost
// acknowledged write breaks the promises of this node. Only the batch that a
// power cut left half written may go, and the log shows whether it is that one.
func openDB(options *grocksdb.Options, dir string) (*grocksdb.DB, error) {
	db, err := grocksdb.OpenDb(options, dir)
	if err == nil {
		return db, nil
	}
	if isLocked(err) {
		return nil, fmt.Errorf("%w: %s; stop the process that has it open or use another directory", store.ErrLocked, dir)
	}
	if !isCorruption(err) {
		return nil, fmt.Errorf("open %s: %w", dir, classified(err))
	}
	torn, logErr := tornAtEnd(dir)
	if logErr != nil {
		return nil, fmt.Errorf("open %s: %w, and its log: %w", dir, err, logErr)
	}
	if torn {
		options.SetWALRecoveryMode(grocksdb.PointInTimeRecovery)
		if db, err = grocksdb.OpenDb(options, dir); err == nil {
			return db, nil
		}
	}
	return nil, fmt.Errorf("%w: %s: %w", store.ErrDamaged, dir, err)
}

// isLocked knows the two texts of RocksDB, which gives no code: the first when
// this process has the directory open, the second when another has.
func isLocked(err error) bool {
	text := err.Error()
	return strings.Contains(text, "lock hold by current process") || strings.Contains(text, "While lock file")
}

// isCorruption knows RocksDB's status by its text: a checksum of its own fails, or
// a file is missing or short.
func isCorruption(err error) bool { return strings.HasPrefix(err.Error(), "Corruption:") }

// classified adds to an error of RocksDB, which is but a text, what it amounts to:
// store.ErrDamaged or syscall.ENOSPC.
func classified(err error) error {
	switch {
	case err == nil:
		return nil
	case isCorruption(err):
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case strings.Contains(err.Error(), "No space left on device"):
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}

// SetAside renames a store's directory, which nobody has open, so that the next
// Open of dir finds it blank, and returns the new name. Nothing is deleted.
func SetAside(dir string, now time.Time) (string, error) {
	where := fmt.Sprintf("%s.lost-%s", dir, now.UTC().Format("20060102T150405.000000"))
	if err := os.Rename(dir, where); err != nil {
		return "", err
	}
	return where, syncDir(filepath.Dir(dir))
}
