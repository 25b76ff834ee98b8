package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/restclient"
)

// Bytes of a small disk: what a node keeps in reserve on it, and somewhat more
// than twice that.
const (
	smallDisk = 160 << 20
	spared    = 32 << 20 // what a ballast leaves, less than the reserve
)

// smallDisks is a directory for a cluster, in which the given nodes' disks are
// small ones of their own.
func smallDisks(t *testing.T, nodes ...int) string {
	t.Helper()
	dir := t.TempDir()
	for _, i := range nodes {
		disk := filepath.Join(dir, fmt.Sprint("db-", i))
		require.NoError(t, os.Mkdir(disk, 0o750))
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprint("size=", smallDisk)); err != nil {
			t.Skipf("a small disk can't be mounted here: %v; run this test as root, where mount is allowed", err)
		}
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	}
	return dir
}

func ballast(dir string, node int) string {
	return filepath.Join(dir, fmt.Sprint("db-", node), "ballast")
}

// fill leaves little space on a node's disk, and waits until the node says so.
func (c *cluster) fill(dir string, node int) {
	c.t.Helper()
	f, err := os.Create(ballast(dir, node))
	require.NoError(c.t, err)
	defer f.Close()
	var fs syscall.Statfs_t
	require.NoError(c.t, syscall.Fstatfs(int(f.Fd()), &fs))
	require.NoError(c.t, syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-spared))
	c.awaitReadOnly(node, true)
}

// makeRoom takes the ballast away again.
func (c *cluster) makeRoom(dir string, node int) {
	c.t.Helper()
	require.NoError(c.t, os.Remove(ballast(dir, node)))
	c.awaitReadOnly(node, false)
}

func (c *cluster) awaitReadOnly(node int, want bool) {
	c.t.Helper()
	c.await(fmt.Sprintf("db-%d is read-only: %v", node, want), func() (bool, any) {
		s := c.nodes()[node]
		return s.ReadOnly == want, s
	})
}

// TestFullDisk: one disk gets full and everything goes on, past that node, which
// catches up by itself when it has room.
func TestFullDisk(t *testing.T) {
	const n = 48
	dir := smallDisks(t, 0)
	c := start(t, local.Config{Dir: dir, Gateway: unhurried})
	b := c.newBook()
	b.create(names("before-", n)...)
	c.audit(b.ids())

	c.fill(dir, 0)
	full := c.nodes()[0]
	b.create(names("during-", n)...)
	b.update("changed while the disk is full", names("before-", n/2)...)
	b.remove(names("before-", n)[n/2:]...)
	b.update("changed at once", names("during-", n/2)...)
	b.check()
	s := c.status(0)
	require.False(t, s.Whole)
	require.Contains(t, fmt.Sprint(s.Missing), "db-0 is read-only: its disk is")
	require.LessOrEqual(t, c.nodes()[0].Data.Records, full.Data.Records, "neither changes nor the repairs of reads made it grow")

	c.makeRoom(dir, 0)
	c.audit(b.ids())
	b.check()
}

// TestTwoFullDisks: what needs room is refused, and certainly not applied; the
// rest goes on, and all of it with the first of the two that has room.
func TestTwoFullDisks(t *testing.T) {
	const n = 12
	dir := smallDisks(t, 0, 2)
	c := start(t, local.Config{Dir: dir, Gateway: unhurried})
	b := c.newBook()
	b.create(names("before-", n)...)
	b.create(names("leaving-", n)...)

	c.fill(dir, 0)
	c.fill(dir, 2)
	noSpace := func(r restclient.Result) {
		t.Helper()
		require.NoError(t, r.Err)
		require.Equal(t, http.StatusInsufficientStorage, r.Status, r)
		require.Equal(t, "no_space", r.Problem.Errors[0].Code)
	}
	name := "too much"
	for _, id := range names("refused-", n) {
		noSpace(b.client.Create(t.Context(), restclient.User{ID: id, Name: name, Email: "n@example.com"}))
		require.Equal(t, restclient.NotFound, b.client.Get(t.Context(), id).Outcome)
	}
	for _, id := range names("before-", n) {
		noSpace(b.client.Update(t.Context(), id, restclient.Patch{Name: &name}))
	}
	b.check()
	b.remove(names("leaving-", n)...)

	c.makeRoom(dir, 2)
	b.create(names("refused-", n)...)
	b.update(name, names("before-", n)...)
	c.makeRoom(dir, 0)
	c.audit(b.ids())
	b.check()
}

// TestDiskFilledToTheLastByte: a write finds no room at all. The node is down
// until there is some, drops what its memory holds, and goes on by itself.
func TestDiskFilledToTheLastByte(t *testing.T) {
	const n, doomed = 48, 400
	dir := smallDisks(t, 0)
	c := start(t, local.Config{Dir: dir, Gateway: unhurried})
	b := c.newBook()
	b.create(names("before-", n)...)
	b.create(names("doomed-", doomed)...)
	c.audit(b.ids())

	f, err := os.Create(ballast(dir, 0))
	require.NoError(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	left := names("doomed-", doomed)
	c.await("db-0 is down", func() (bool, any) {
		// A full node takes deletions.
		some := min(len(left), 10)
		b.remove(left[:some]...)
		left = left[some:]
		s := c.status(0)
		return s.Nodes[0].State == wire.StateDown, s.Missing
	})
	b.update("changed meanwhile", names("before-", n)...)
	b.create(names("during-", n)...)
	b.check()

	require.NoError(t, os.Remove(ballast(dir, 0)))
	c.audit(b.ids())
	b.check()
}
