package powercut

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// file makes a file in the root directory and returns its number.
func file(t *testing.T, d *Disk, name, content string) uint64 {
	t.Helper()
	a, errno := d.create(rootIno, name, false)
	require.Zero(t, errno)
	require.Zero(t, d.write(a.ino, []byte(content), 0))
	return a.ino
}

// content returns all files of a disk.
func content(t *testing.T, d *Disk) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, errno := d.list(rootIno)
	require.Zero(t, errno)
	for _, a := range entries {
		b := make([]byte, a.size)
		_, errno := d.read(a.ino, b, 0)
		require.Zero(t, errno)
		all[a.name] = string(b)
	}
	return all
}

func strict(t *testing.T, d *Disk) map[string]string {
	t.Helper()
	return content(t, d.After(LoseAll, nil))
}

func TestOnlyWhatIsSyncedIsLeft(t *testing.T) {
	d := NewDisk()
	a, b := file(t, d, "a", "one"), file(t, d, "b", "two")
	require.Zero(t, d.sync(a))
	require.Empty(t, strict(t, d), "a synced file without a name")
	require.Zero(t, d.sync(rootIno))
	require.Equal(t, map[string]string{"a": "one", "b": ""}, strict(t, d), "a name without content")
	require.Zero(t, d.sync(b))
	require.Zero(t, d.write(a, []byte("ONE"), 0))
	require.Zero(t, d.resize(b, 1))
	require.Equal(t, map[string]string{"a": "one", "b": "two"}, strict(t, d))
	require.Equal(t, map[string]string{"a": "ONE", "b": "t"}, content(t, d), "programs see it all")

	require.Zero(t, d.sync(a))
	require.Zero(t, d.rename(rootIno, "a", "b"))
	require.Equal(t, map[string]string{"a": "ONE", "b": "two"}, strict(t, d))
	require.Zero(t, d.sync(rootIno))
	require.Equal(t, map[string]string{"b": "ONE"}, strict(t, d))
	require.Zero(t, d.unlink(rootIno, "b"))
	require.Equal(t, map[string]string{"b": "ONE"}, strict(t, d))
}

func TestAFailedSyncOfAFileIsNotMadeUpFor(t *testing.T) {
	d := NewDisk()
	a := file(t, d, "a", "one")
	require.Zero(t, d.sync(rootIno))
	d.Expect(Plan{FailAt: 1})
	require.Equal(t, syscall.EIO, d.sync(a))
	require.Zero(t, d.sync(a), "it claims that all is well")
	require.Equal(t, map[string]string{"a": "one"}, content(t, d))
	require.Equal(t, map[string]string{"a": ""}, strict(t, d))
	require.Equal(t, 1, d.Count().Failed)
}

// TestAFailedSyncOfADirectoryIsTheLast: a later one must not say that all is well
// with names that are lost, since no filesystem with a journal does.
func TestAFailedSyncOfADirectoryIsTheLast(t *testing.T) {
	d := NewDisk()
	a := file(t, d, "a", "one")
	require.Zero(t, d.sync(a))
	d.Expect(Plan{FailAt: 1})
	require.Equal(t, syscall.EIO, d.sync(rootIno))
	require.Equal(t, syscall.EIO, d.sync(rootIno))
	require.Equal(t, syscall.EIO, d.sync(a))
	require.Equal(t, syscall.EIO, d.write(a, []byte("ONE"), 0))
	_, errno := d.create(rootIno, "b", false)
	require.Equal(t, syscall.EIO, errno)
	require.Equal(t, map[string]string{"a": "one"}, content(t, d), "it can be read")
	require.Equal(t, 1, d.Count().Failed)
	require.Empty(t, strict(t, d))
	require.Empty(t, content(t, d.After(KeepAll, nil)), "it is mounted anew")

	kept, r := map[int]bool{}, rand.New(rand.NewPCG(1, 1))
	for range 20 {
		kept[len(content(t, d.After(KeepHead, r)))] = true
	}
	require.Len(t, kept, 2, "the journal may have been written all the same")
}

func TestAKillLosesNothingAndKeepsNothingSafe(t *testing.T) {
	d := NewDisk()
	a := file(t, d, "a", "one")
	require.Zero(t, d.sync(rootIno))
	d = d.After(KeepAll, nil)
	require.Equal(t, map[string]string{"a": "one"}, content(t, d))
	require.Equal(t, map[string]string{"a": ""}, strict(t, d))
	require.Zero(t, d.sync(a))
	require.Equal(t, map[string]string{"a": "one"}, strict(t, d))
}

func TestNothingHappensAfterTheCut(t *testing.T) {
	d := NewDisk()
	a := file(t, d, "a", "one")
	require.Zero(t, d.sync(rootIno))
	d.Expect(Plan{CutAt: 2})
	require.Zero(t, d.write(a, []byte("ONE"), 0))
	require.Equal(t, syscall.EIO, d.sync(a), "the cut is before the call")
	<-d.Cut()
	d.CutNow()
	require.Equal(t, syscall.EIO, d.sync(a))
	require.Equal(t, syscall.EIO, d.write(a, nil, 0))
	_, errno := d.stat(a)
	require.Equal(t, syscall.EIO, errno)
	require.Equal(t, map[string]string{"a": ""}, strict(t, d))
}

// TestSomeIsKept: pages in any order, but each whole; of a head, whole sectors.
func TestSomeIsKept(t *testing.T) {
	d := NewDisk()
	old := strings.Repeat("o", 3*pageSize)
	a := file(t, d, "a", old)
	require.Zero(t, d.sync(a))
	require.Zero(t, d.sync(rootIno))
	require.Zero(t, d.write(a, bytes.Repeat([]byte("N"), 3*pageSize), 0))
	file(t, d, "b", "")
	file(t, d, "c", "")
	r := rand.New(rand.NewPCG(1, 1))
	pagesSeen, heads, names := map[string]bool{}, map[int]bool{}, map[int]bool{}
	for range 500 {
		some := content(t, d.After(KeepSome, r))
		kind := ""
		for page := range 3 {
			p := some["a"][page*pageSize : (page+1)*pageSize]
			require.Equal(t, strings.Repeat(p[:1], pageSize), p)
			kind += p[:1]
		}
		pagesSeen[kind] = true
		names[len(some)] = true
		if _, ok := some["c"]; ok {
			require.Contains(t, some, "b", "it was named before c")
		}

		head := content(t, d.After(KeepHead, r))["a"]
		n := strings.Count(head, "N")
		require.Zero(t, n%sectorSize)
		require.Equal(t, strings.Repeat("N", n)+old[n:], head)
		heads[n] = true
	}
	require.Len(t, pagesSeen, 8, "each of the three pages is old or new")
	require.Len(t, names, 3)
	require.Greater(t, len(heads), 10)
}

// TestMounted asks the same through the kernel.
func TestMounted(t *testing.T) {
	d, dir := NewDisk(), t.TempDir()
	unmount, err := Mount(d, dir)
	if err != nil {
		require.ErrorIs(t, err, ErrNoFUSE)
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, unmount()) })
	path := func(name string) string { return filepath.Join(dir, "sub", name) }
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, os.WriteFile(path("a"), []byte("a longer text"), 0o600))
	require.NoError(t, os.WriteFile(path("a"), []byte("text"), 0o600), "it is cut to the new length")
	require.NoError(t, os.Rename(path("a"), path("b")))
	require.NoError(t, os.WriteFile(path("c"), nil, 0o600))
	require.NoError(t, os.Remove(path("c")))
	entries, err := os.ReadDir(filepath.Join(dir, "sub"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	syncPath := func(path string) {
		f, err := os.Open(path)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	syncPath(path("b"))
	require.Empty(t, strict(t, d))
	syncPath(filepath.Join(dir, "sub"))
	require.Empty(t, strict(t, d))
	syncPath(dir)
	require.Contains(t, strict(t, d), "sub")

	f, err := os.OpenFile(path("b"), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(" more")
	require.NoError(t, err)
	got, err := os.ReadFile(path("b"))
	require.NoError(t, err)
	require.Equal(t, "text more", string(got))
	d.CutNow()
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	_, err = os.ReadFile(path("b"))
	require.ErrorIs(t, err, syscall.EIO)
}
