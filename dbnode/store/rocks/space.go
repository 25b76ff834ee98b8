package rocks

import (
	"fmt"
	"syscall"

	"github.com/dyad-db/dyad/dbnode/store"
)

// Space returns the room on the filesystem of the store.
func (s *Store) Space() (store.Space, error) { return SpaceOf(s.dir) }

// SpaceOf returns the room on the filesystem of a directory.
func SpaceOf(dir string) (store.Space, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return store.Space{}, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return store.Space{Free: int64(fs.Bavail) * fs.Bsize, Total: int64(fs.Blocks) * fs.Bsize}, nil
}
