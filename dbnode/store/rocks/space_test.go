package rocks

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

// smallDisk mounts a disk of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk can't be mounted here: %v; run this test as root, where mount is allowed", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestSpaceIsThatOfTheDisk(t *testing.T) {
	disk := smallDisk(t, "64m")
	s, err := Open(filepath.Join(disk, "store"))
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	space, err := s.Space()
	require.NoError(t, err)
	require.Equal(t, int64(64<<20), space.Total)
	require.Positive(t, space.Free)
	require.NoError(t, os.WriteFile(filepath.Join(disk, "other"), make([]byte, 8<<20), 0o600))
	after, err := s.Space()
	require.NoError(t, err)
	require.LessOrEqual(t, after.Free, space.Free-8<<20)
}

// TestRunningOutOfSpaceLosesNothing: the store stops at the first write that
// finds no room. That is no damage: with room it opens again, and all that was
// reported durable is there.
func TestRunningOutOfSpaceLosesNothing(t *testing.T) {
	disk := smallDisk(t, "48m")
	dir, ballast := filepath.Join(disk, "store"), filepath.Join(disk, "ballast")
	s, err := Open(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(ballast, make([]byte, 24<<20), 0o600))
	key := func(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
	value := func(i uint64) []byte { // nothing that packs well
		v := make([]byte, 0, 64<<10)
		for x := i + 1; len(v) < cap(v); x = x*6364136223846793005 + 1442695040888963407 {
			v = binary.BigEndian.AppendUint64(v, x)
		}
		return v
	}
	durable := uint64(0)
	for ; ; durable++ {
		require.Less(t, durable, uint64(1000), "the disk never got full")
		done := make(chan error, 1)
		s.Write([]store.Op{{Key: key(durable), Value: value(durable)}}, func(err error) { done <- err })
		if err = <-done; err != nil {
			break
		}
	}
	require.ErrorIs(t, err, store.ErrFailed)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "No space left on device")
	require.ErrorIs(t, s.Close(), store.ErrFailed)

	s, err = Open(dir) // it may need room itself
	if err == nil {
		require.NoError(t, s.Close())
	}
	require.False(t, errors.Is(err, store.ErrDamaged), err)
	require.NoError(t, os.Remove(ballast))
	s, err = Open(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for i := range durable {
		v, err := s.Get(key(i))
		require.NoError(t, err)
		require.Equal(t, value(i), v, i)
	}
	t.Logf("%d writes were durable, all there", durable)
}
