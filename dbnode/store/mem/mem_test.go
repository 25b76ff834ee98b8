package mem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/dbnode/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness { return medium(mem.NewDisk()) })
}

func medium(disk *mem.Disk) storetest.Harness {
	return storetest.Harness{
		Open:  func() (store.Store, error) { return mem.Open(disk) },
		Crash: disk.Crash,
		Break: func() { disk.Break(errors.New("disk full")) },
		Copy:  func() (storetest.Harness, error) { return medium(disk.Clone()), nil },
	}
}

func put(key, value string) []store.Op {
	return []store.Op{{Key: []byte(key), Value: []byte(value)}}
}

// content returns what s shows, as key=value.
func content(t *testing.T, s store.Store) []string {
	t.Helper()
	got := []string{}
	require.NoError(t, s.Scan(nil, nil, func(key, value []byte) bool {
		got = append(got, string(key)+"="+string(value))
		return true
	}))
	return got
}

func manual(t *testing.T, disk *mem.Disk) *mem.Manual {
	t.Helper()
	m, err := mem.OpenManual(disk)
	require.NoError(t, err)
	return m
}

func TestManualWritesAreInvisibleUntilSynced(t *testing.T) {
	disk := mem.NewDisk()
	m := manual(t, disk)
	var done []string
	step := func(key string) {
		m.Write(put(key, "1"), func(err error) {
			require.NoError(t, err)
			got, err := m.Get([]byte(key))
			require.NoError(t, err)
			require.Equal(t, "1", string(got), "visible just before its done")
			done = append(done, key)
		})
	}
	step("a")
	step("b")
	step("c")
	require.Equal(t, 3, m.Waiting())
	require.Empty(t, content(t, m))
	got, err := m.Get([]byte("a"))
	require.NoError(t, err)
	require.Nil(t, got)
	require.Empty(t, done)

	m.SyncN(2)
	require.Equal(t, []string{"a", "b"}, done)
	require.Equal(t, []string{"a=1", "b=1"}, content(t, m))
	require.Equal(t, 1, m.Waiting())
	m.Sync()
	m.SyncN(5)
	require.Equal(t, []string{"a", "b", "c"}, done)
	require.Zero(t, m.Waiting())
}

func TestManualDoneMayWrite(t *testing.T) {
	m := manual(t, mem.NewDisk())
	m.Write(put("a", "1"), func(error) { m.Write(put("b", "1"), func(error) {}) })
	m.Sync()
	require.Equal(t, []string{"a=1"}, content(t, m), "what a done writes waits for the next Sync")
	m.Sync()
	require.Equal(t, []string{"a=1", "b=1"}, content(t, m))
}

func TestManualCrashLosesWhatWaits(t *testing.T) {
	disk := mem.NewDisk()
	m := manual(t, disk)
	_, err := mem.Open(disk)
	require.ErrorIs(t, err, store.ErrLocked)
	var got []error
	collect := func(err error) { got = append(got, err) }
	m.Write(put("a", "1"), collect)
	m.Sync()
	m.Write(put("b", "1"), collect)
	m.Write(nil, func(err error) {
		collect(err)
		m.Write(put("c", "1"), collect)
	})
	disk.Crash()
	require.Len(t, got, 4)
	require.NoError(t, got[0])
	require.ErrorIs(t, got[1], store.ErrFailed)
	require.ErrorIs(t, got[2], store.ErrFailed)
	require.ErrorIs(t, got[3], store.ErrClosed, "the dead store takes no more")
	m.Sync()

	again := manual(t, disk)
	require.Equal(t, []string{"a=1"}, content(t, again))
	_, err = m.Get([]byte("a"))
	require.ErrorIs(t, err, store.ErrClosed, "the dead store answers nothing any more")
	require.ErrorIs(t, m.Close(), store.ErrFailed)
	again.Write(put("a", "2"), collect)
	require.NoError(t, again.Close(), "Close syncs what waits")
	require.NoError(t, got[4])
	require.Equal(t, []string{"a=2"}, content(t, manual(t, disk)))
}

func TestManualStopsAtTheFirstError(t *testing.T) {
	disk := mem.NewDisk()
	m := manual(t, disk)
	full := errors.New("disk full")
	disk.Break(full)
	var got []error
	collect := func(err error) { got = append(got, err) }
	m.Write(put("a", "1"), collect)
	m.Sync()
	disk.Break(nil)
	m.Write(put("b", "1"), collect)
	m.Write(nil, collect)
	m.Sync()
	require.Len(t, got, 3)
	for _, err := range got {
		require.ErrorIs(t, err, store.ErrFailed)
		require.ErrorIs(t, err, full)
	}
	require.Empty(t, content(t, m))
	require.ErrorIs(t, m.Close(), store.ErrFailed)
}

func TestCrashAnswersWhatIsQueued(t *testing.T) {
	disk := mem.NewDisk()
	s, err := mem.Open(disk)
	require.NoError(t, err)
	const steps = 5000
	var synced, lost int // dones run on one goroutine, and all have when Crash returns
	for i := range steps {
		s.Write(put(fmt.Sprintf("%04d", i), "1"), func(err error) {
			switch {
			case err == nil && lost == 0:
				synced++
			case errors.Is(err, store.ErrFailed):
				lost++
			}
		})
	}
	disk.Crash()
	require.Equal(t, steps, synced+lost)
	s.Write(put("late", "1"), func(err error) { require.ErrorIs(t, err, store.ErrClosed) })
	_, err = s.Get([]byte("0000"))
	require.ErrorIs(t, err, store.ErrClosed)

	disk.Crash() // a dark disk stays dark
	require.Len(t, content(t, manual(t, disk)), synced)
}

func TestUsageCountsKeysAndValues(t *testing.T) {
	m := manual(t, mem.NewDisk())
	usage := func() int64 {
		m.Sync()
		n, err := m.Usage()
		require.NoError(t, err)
		return n
	}
	none := func(error) {}
	m.Write(put("abc", "12345"), none)
	m.Write(put("d", ""), none)
	require.EqualValues(t, 9, usage())
	m.Write(put("abc", "1"), none)
	require.EqualValues(t, 5, usage())
	m.Write([]store.Op{{Key: []byte("abc"), Delete: true}, {Key: []byte("none"), Delete: true}}, none)
	require.EqualValues(t, 1, usage())
	require.NoError(t, m.Compact())
	require.EqualValues(t, 1, usage())
}

func BenchmarkPutGet100k(b *testing.B) {
	m, err := mem.OpenManual(mem.NewDisk())
	require.NoError(b, err)
	keys := make([][]byte, 100_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "user-%d", i)
		m.Write([]store.Op{{Key: keys[i]}}, func(error) {})
	}
	m.Sync()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		k := keys[i%len(keys)]
		i++
		m.Write([]store.Op{{Key: k, Value: k}}, func(error) {})
		m.Sync()
		if _, err := m.Get(k); err != nil {
			b.Fatal(err)
		}
	}
}
