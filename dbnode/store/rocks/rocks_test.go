package rocks

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/storetest"
)

func TestContract(t *testing.T) {
	fewerChecks(t)
	storetest.Run(t, medium)
}

func medium(t *testing.T) storetest.Harness {
	t.Helper()
	return mediumIn(t, t.TempDir())
}

func mediumIn(t *testing.T, dir string) storetest.Harness {
	t.Helper()
	var open *Store
	return storetest.Harness{
		Open: func() (store.Store, error) {
			s, err := Open(dir)
			if err != nil {
				return nil, err
			}
			open = s
			return s, nil
		},
		// Only what is synced is certain, so the files as they are while the
		// store runs are an image that a power cut may leave.
		Crash: func() {
			image := t.TempDir()
			copyLive(t, open, image)
			require.NoError(t, open.Close())
			require.NoError(t, os.RemoveAll(dir))
			dir = image
		},
		Compact: func() error { return open.Compact() },
		Copy: func() (storetest.Harness, error) {
			to := filepath.Join(t.TempDir(), "copy")
			return mediumIn(t, to), checkpoint(open, to)
		},
		Remove: func() { require.NoError(t, os.RemoveAll(dir)) },
	}
}

// checkpoint makes a copy of an open store with RocksDB's own means: tables are
// linked, the log is copied.
func checkpoint(s *Store, to string) error {
	c, err := s.db.NewCheckpoint()
	if err != nil {
		return err
	}
	defer c.Destroy()
	const flushFrom = 1 << 40 // bytes of log: it is copied, and not flushed
	return c.CreateCheckpoint(to, flushFrom)
}

// fewerChecks shortens the model test, which opens a store hundreds of times,
// unless the command line says how long it shall be.
func fewerChecks(t *testing.T) {
	t.Helper()
	const name = "rapid.checks"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		require.NoError(t, flag.Set(name, "30"))
	}
}

// copyLive copies the directory of a store at work. The manifest goes first:
// the tables and logs that it names by then are whole, and stay meanwhile. LOCK
// is left out, because closing it would drop this process's lock.
func copyLive(t *testing.T, s *Store, to string) {
	t.Helper()
	require.NoError(t, s.db.DisableFileDeletions())
	for _, pattern := range []string{"CURRENT", "MANIFEST-*", "IDENTITY", "OPTIONS-*", "*.sst", "*.log"} {
		files, err := filepath.Glob(filepath.Join(s.dir, pattern))
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600))
		}
	}
}

func open(tb testing.TB, dir string) *Store {
	tb.Helper()
	s, err := Open(dir)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func put(key, value string) []store.Op {
	return []store.Op{{Key: []byte(key), Value: []byte(value)}}
}

func write(tb testing.TB, s *Store, ops []store.Op) {
	tb.Helper()
	done := make(chan error, 1)
	s.Write(ops, func(err error) { done <- err })
	require.NoError(tb, <-done)
}

// keys returns all keys.
func keys(tb testing.TB, s *Store) []string {
	tb.Helper()
	got := []string{}
	require.NoError(tb, s.Scan(nil, nil, func(key, _ []byte) bool {
		got = append(got, string(key))
		return true
	}))
	return got
}

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc/none"} {
		_, err := Open(dir)
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "give a directory that this process may write")
	}
}

func TestOpenMakesDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	write(t, open(t, dir), put("k", "v"))
}

func TestOpenRefusesWhatIsOpenHere(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(dir)
	require.ErrorIs(t, err, store.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "stop the process")
}

func TestOptionsReachRocksDB(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.True(t, s.write.IsSync())
	files, err := filepath.Glob(filepath.Join(dir, "OPTIONS-*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	content, err := os.ReadFile(files[len(files)-1])
	require.NoError(t, err)
	for _, option := range []string{
		"track_and_verify_wals_in_manifest=true",
		"allow_fallocate=false",
		"manual_wal_flush=false",
		"wal_bytes_per_sync=0",
		"recycle_log_file_num=0",
		"paranoid_checks=true",
		"wal_recovery_mode=kTolerateCorruptedTailRecords",
		"bottommost_compression=kZSTD",
		"max_dict_bytes=16384",
		"cache_index_and_filter_blocks=true",
		"filter_policy=bloomfilter",
	} {
		require.True(t, strings.Contains(string(content), option+"\n") || strings.Contains(string(content), option+";"), option)
	}
}

func TestCloseWaitsForScan(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		write(t, s, append(put("a", "1"), put("b", "2")...))
		proceed := make(chan struct{})
		scanned, closed := make(chan error, 1), make(chan error, 1)
		var seen []string
		go func() {
			scanned <- s.Scan(nil, nil, func(key, value []byte) bool {
				<-proceed
				seen = append(seen, string(key)+string(value))
				return true
			})
		}()
		synctest.Wait() // the scan is in fn
		go func() { closed <- s.Close() }()
		synctest.Wait()
		require.Empty(t, closed, "Close didn't wait")
		_, err := s.Get([]byte("a"))
		require.ErrorIs(t, err, store.ErrClosed)
		require.ErrorIs(t, s.Compact(), store.ErrClosed)
		close(proceed)
		require.NoError(t, <-scanned)
		require.NoError(t, <-closed)
		require.Equal(t, []string{"a1", "b2"}, seen)
	})
}

// users makes n records like those of a node: key, header and a JSON document.
// It returns the ops and the bytes of the JSON alone.
func users(n int) (ops []store.Op, jsonBytes int) {
	r := rand.New(rand.NewPCG(1, 2))
	syllables := strings.Fields("an ar bel ca chi da de di el fer ga ha in jo ka la le lo ma mi na ne no " +
		"pa ra re ri ro sa se si ta te to va vi xi ya za")
	names := make([]string, 5000)
	for i := range names {
		for range 2 + r.IntN(2) {
			names[i] += syllables[r.IntN(len(syllables))]
		}
	}
	name := func(of int) string { // some are frequent
		return names[int(float64(of)*r.Float64()*r.Float64())]
	}
	title := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	domains := []string{"gmail.com", "gmail.com", "yahoo.com", "hotmail.com", "web.de", "example.org"}
	for i := range n {
		id := fmt.Sprintf("%07X", r.Uint32N(1<<28))
		first, last := name(800), name(5000)
		document := fmt.Sprintf(`{"id":%q,"name":"%s %s","email":"%s.%s%d@%s","group":%d}`, id,
			title(first), title(last), first, last, r.IntN(100), domains[r.IntN(len(domains))], r.IntN(10))
		jsonBytes += len(document)
		value := append([]byte{1}, "\x00\x01PROPID"...)
		value = binary.BigEndian.AppendUint64(value, 1<<56+uint64(i)<<10) // a clock
		value = binary.BigEndian.AppendUint64(value, r.Uint64())          // a checksum, an op id
		value = append(value, 0, 0)
		ops = append(ops, store.Op{
			Key:   append([]byte{'r', 0, byte(r.IntN(64))}, id...),
			Value: append(value, document...),
		})
	}
	return ops, jsonBytes
}

func load(tb testing.TB, s *Store, ops []store.Op) {
	tb.Helper()
	for len(ops) > 1000 {
		write(tb, s, ops[:1000])
		ops = ops[1000:]
	}
	write(tb, s, ops)
}

func TestCompactedSize(t *testing.T) {
	s := open(t, t.TempDir())
	ops, jsonBytes := users(100_000)
	load(t, s, ops)
	load(t, s, ops) // every record twice: the old version must go
	require.NoError(t, s.Compact())
	usage, err := s.Usage()
	require.NoError(t, err)
	t.Logf("%d bytes of JSON, %d on disk: %.1f %%", jsonBytes, usage, 100*float64(usage)/float64(jsonBytes))
	require.Less(t, float64(usage), 0.65*float64(jsonBytes))

	files, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Zero(t, info.Size(), "the log is flushed")
	}
	for _, op := range ops[:1000] {
		got, err := s.Get(op.Key)
		require.NoError(t, err)
		require.Equal(t, op.Value, got)
	}
	again, err := s.Usage()
	require.NoError(t, err)
	require.Equal(t, usage, again, "nothing was still being deleted")
}

func TestCloseEndsCompact(t *testing.T) {
	s := open(t, t.TempDir())
	ops, _ := users(20_000)
	load(t, s, ops)
	compacted := make(chan error)
	go func() { compacted <- s.Compact() }()
	require.NoError(t, s.Close())
	if err := <-compacted; err != nil { // it may have been quicker
		require.ErrorIs(t, err, store.ErrClosed)
	}
	require.Len(t, keys(t, open(t, s.dir)), len(ops))
}

func TestCompactOfNothing(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.Compact())
	write(t, s, put("a", "1"))
	write(t, s, []store.Op{{Key: []byte("a"), Delete: true}})
	require.NoError(t, s.Compact())
	require.Empty(t, keys(t, s))
	tables, err := filepath.Glob(filepath.Join(s.dir, "*.sst"))
	require.NoError(t, err)
	require.Empty(t, tables, "the tombstone is gone as well")
}
