package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

// diskSize is the size of a small disk, in bytes.
const diskSize = "size=256m"

// Spared is less than the reserve of a node, and more than it needs for what it
// must still write; in bytes.
const Spared = 32 << 20

// SmallDisk gives a node a small disk with what it had on the other one, and
// returns the path of a file that may take the room there.
func SmallDisk(tb testing.TB, c *latency.Cluster, node int) (ballast string) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("mounting a small disk needs root: run this as root")
	}
	dir := c.DataDir(node)
	c.Programs[node].Stop()
	unmountStale(tb)
	require.NoError(tb, os.Rename(dir, dir+".before"))
	require.NoError(tb, os.Mkdir(dir, 0o750))
	require.NoError(tb, syscall.Mount(ownName(), dir, "tmpfs", 0, diskSize))
	tb.Cleanup(func() {
		// The node runs until the very end: the mount goes when it does.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			tb.Errorf("unmount %s: %v", dir, err)
		}
	})
	require.NoError(tb, os.CopyFS(dir, os.DirFS(dir+".before")))
	c.Programs[node].Start()
	c.AwaitReady(node)
	return filepath.Join(dir, "ballast")
}

// unmountStale unmounts the small disks that a killed run could not.
func unmountStale(tb testing.TB) {
	tb.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(tb, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && stale(fields[0]) {
			require.NoError(tb, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
}

// Leave makes a file that leaves so many bytes of room.
func Leave(tb testing.TB, path string, room int64) {
	tb.Helper()
	f, err := os.Create(path)
	require.NoError(tb, err)
	defer f.Close()
	var fs syscall.Statfs_t
	require.NoError(tb, syscall.Fstatfs(int(f.Fd()), &fs))
	require.NoError(tb, syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-room))
}

// Fill makes a file that takes all the room that is left, and goes on taking
// what becomes free for a moment.
func Fill(tb testing.TB, path string) {
	tb.Helper()
	f, err := os.Create(path)
	require.NoError(tb, err)
	defer f.Close()
	block := make([]byte, 4096)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := f.Write(block); err != nil {
			require.True(tb, errors.Is(err, syscall.ENOSPC), "%v", err)
		}
	}
}

// Copy returns a copy of what a stopped node has on its disk, without what it
// once set aside.
func Copy(tb testing.TB, dir string) (copied string) {
	tb.Helper()
	DropSetAside(tb, dir)
	copied = filepath.Join(tb.TempDir(), "copy")
	require.NoError(tb, os.CopyFS(copied, os.DirFS(dir)))
	return copied
}

// Wipe empties a disk, which may be a mount point.
func Wipe(tb testing.TB, dir string) {
	tb.Helper()
	remove(tb, dir, func(string) bool { return true })
}

// RollBack puts a disk back to an older copy.
func RollBack(tb testing.TB, dir, older string) {
	tb.Helper()
	Wipe(tb, dir)
	require.NoError(tb, os.CopyFS(dir, os.DirFS(older)))
}

// DropSetAside removes the lost disks that a node has set aside, as an operator
// would.
func DropSetAside(tb testing.TB, dir string) {
	tb.Helper()
	remove(tb, dir, func(name string) bool { return strings.Contains(name, ".lost-") })
}

func remove(tb testing.TB, dir string, doomed func(name string) bool) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(tb, err)
	for _, entry := range entries {
		if doomed(entry.Name()) {
			require.NoError(tb, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
}
