package drills

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

// diskSize is the size of the small disk that is filled up, in bytes.
const diskSize = "size=256m"

// drillFullDisk fills up the disk of one node, a file system of its own: requests
// go on with the other two, and the node by itself once there is room.
func drillFullDisk(t *testing.T, s sizes) {
	const victim = 1
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small disk needs root: run this drill as root")
	}
	c := latency.StartCluster(t, gateways)
	dir := c.DataDir(victim)
	c.Programs[victim].Stop()
	require.NoError(t, os.Rename(dir, dir+".before"))
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize))
	t.Cleanup(func() {
		// The node runs until the very end: the mount goes when it does.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".before")))
	c.Programs[victim].Start()
	c.AwaitReady(victim)

	ballast := filepath.Join(dir, "ballast")
	l := latency.Start(t, c, load(0))
	l.AwaitWhole()
	l.Suffer(latency.Fault{
		Victim: c.Name(victim), What: "full", Away: s.away(10),
		Do:   func() { fill(t, ballast) },
		Undo: func() { require.NoError(t, os.Remove(ballast)) },
	})
	conclude(t, l, c.Nodes())
}

// fill makes a file that takes all the room that is left, and goes on taking
// what becomes free for a moment.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	block := make([]byte, 4096)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := f.Write(block); err != nil {
			require.True(t, errors.Is(err, syscall.ENOSPC), "%v", err)
		}
	}
}
