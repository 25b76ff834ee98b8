package drills

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
)

// diskSize is the size of the small disk that is filled up, in bytes.
const diskSize = "size=256m"

// drillFullDisk fills up the disk of one node to the last byte: requests go on
// with the other two, and the node by itself once there is room.
func drillFullDisk(t *testing.T, s sizes) {
	const victim = 1
	c := latency.StartCluster(t, gateways)
	dir := smallDisk(t, c, victim)
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

// drillTwoFullDisks leaves two nodes less than their reserve: creates and updates
// are refused and certainly not applied, reads and deletions go on, and so does
// everything once one of the two has room.
func drillTwoFullDisks(t *testing.T, _ sizes) {
	c := latency.StartCluster(t, gateways)
	client := restclient.New(patience, c.Gateways()...)
	t.Cleanup(client.Close)
	s := &story{T: t, c: c, client: client, d1: 0, d2: 1, w: 2}
	var ballasts []string
	for _, node := range []int{s.d1, s.d2} {
		ballasts = append(ballasts, filepath.Join(smallDisk(t, c, node), "ballast"))
	}
	s.whole()
	kept, doomed, refused := s.newID("kept"), s.newID("doomed"), s.newID("refused")
	for _, s.id = range []string{kept, doomed} {
		s.create("before")
	}
	readOnly := func(count int) func(latency.Status) bool {
		return func(status latency.Status) bool { return strings.Count(status.Missing, "read-only") == count }
	}
	for _, path := range ballasts {
		leave(t, path, spared)
	}
	s.await("two nodes are read-only", readOnly(len(ballasts)))

	other := "too much"
	for range gateways {
		for _, r := range []restclient.Result{
			s.client.Create(s.Context(), restclient.User{ID: refused, Name: other, Email: "u@example.com"}),
			s.client.Update(s.Context(), kept, restclient.Patch{Name: &other}),
		} {
			require.Equal(s, http.StatusInsufficientStorage, r.Status, r)
		}
	}
	s.id = refused
	s.read("")
	s.id = kept
	s.read("before")
	s.id = doomed
	s.remove()
	s.read("")

	require.NoError(t, os.Remove(ballasts[0]))
	s.await("one node is read-only", readOnly(1))
	s.id = kept
	s.update("after")
	s.id = refused
	s.create("after")
	require.NoError(t, os.Remove(ballasts[1]))
	s.whole()
	for _, s.id = range []string{kept, refused} {
		s.read("after")
	}
	atRest(t, c.Nodes(), nil)
}

// smallDisk gives a node a small disk with what it had on the other one, and
// returns the directory.
func smallDisk(t *testing.T, c *latency.Cluster, node int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small disk needs root: run this drill as root")
	}
	dir := c.DataDir(node)
	c.Programs[node].Stop()
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
	c.Programs[node].Start()
	c.AwaitReady(node)
	return dir
}

// spared is less than the reserve of a node, and more than it needs for what it
// must still write; in bytes.
const spared = 32 << 20

// leave makes a file that leaves so many bytes of room.
func leave(t *testing.T, path string, room int64) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Fstatfs(int(f.Fd()), &fs))
	require.NoError(t, syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-room))
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
