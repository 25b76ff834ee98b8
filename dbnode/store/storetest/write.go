package storetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

func testGet(t *testing.T, h Harness) {
	s := open(t, h)
	requireGet(t, s, "a", nil)
	write(t, s, put("a", "1"))
	requireGet(t, s, "a", []byte("1"))
	requireGet(t, s, "", nil)
	requireGet(t, s, "a\x00", nil)
	write(t, s, put("a", "2"), put("empty", ""), store.Op{Key: []byte("nil")}, put("\x00\xff", "\xff\x00"))
	requireGet(t, s, "a", []byte("2"))
	requireGet(t, s, "empty", []byte{})
	requireGet(t, s, "nil", []byte{})
	requireGet(t, s, "\x00\xff", []byte("\xff\x00"))
	require.NoError(t, s.Close())

	s = open(t, h)
	requireGet(t, s, "a", []byte("2"))
	requireGet(t, s, "empty", []byte{})
	requireGet(t, s, "\x00\xff", []byte("\xff\x00"))
}

func testOwnership(t *testing.T, h Harness) {
	s := open(t, h)
	op := put("key", "value")
	write(t, s, op)
	copy(op.Key, "xxx")
	copy(op.Value, "xxxxx")
	requireGet(t, s, "key", []byte("value"))
	requireGet(t, s, "xxx", nil)

	got, err := s.Get([]byte("key"))
	require.NoError(t, err)
	copy(got, "yyyyy")
	_ = append(got, "yyyyy"...)
	requireGet(t, s, "key", []byte("value"))
}

func testLaterOpWins(t *testing.T, h Harness) {
	s := open(t, h)
	write(t, s,
		put("a", "1"), put("a", "2"),
		put("b", "1"), del("b"),
		del("c"), put("c", "1"))
	requireGet(t, s, "a", []byte("2"))
	requireGet(t, s, "b", nil)
	requireGet(t, s, "c", []byte("1"))

	// Steps that share a batch.
	var last <-chan error
	for i := range 200 {
		last = result(s, put("a", fmt.Sprint(i)))
	}
	require.NoError(t, <-last)
	requireGet(t, s, "a", []byte("199"))
}

func testDelete(t *testing.T, h Harness) {
	s := open(t, h)
	write(t, s, put("a", "1"), put("b", "2"), put("c", "3"))
	write(t, s, del("b"), del("absent"))
	requireGet(t, s, "b", nil)
	require.Equal(t, []string{"a", "1", "c", "3"}, pairs(t, s, nil, nil))
	require.NoError(t, s.Close())

	s = open(t, h)
	require.Equal(t, []string{"a", "1", "c", "3"}, pairs(t, s, nil, nil))
	write(t, s, put("b", "4"))
	requireGet(t, s, "b", []byte("4"))
}

func testOrder(t *testing.T, h Harness) {
	s := open(t, h)
	const steps = 3000
	var order []int
	var unseen int
	for i := range steps {
		key := fmt.Sprintf("%04d", i)
		s.Write([]store.Op{put(key, key)}, func(err error) {
			got, getErr := s.Get([]byte(key)) // visible before its done
			if err != nil || getErr != nil || string(got) != key {
				unseen++
			}
			order = append(order, i)
		})
	}
	require.NoError(t, <-result(s)) // the barrier is last
	require.Len(t, order, steps)
	for i, got := range order {
		require.Equal(t, i, got)
	}
	require.Zero(t, unseen)
}

func testBarrier(t *testing.T, h Harness) {
	s := open(t, h)
	counter, ok := s.(interface{ Stats() store.Stats })
	require.True(t, ok, "the store counts its syncs")
	for range 10 {
		require.NoError(t, <-result(s))
	}
	require.Zero(t, counter.Stats().Syncs)

	wrote := false
	s.Write([]store.Op{put("a", "1")}, func(error) { wrote = true })
	require.NoError(t, <-result(s))
	require.True(t, wrote)
	require.Equal(t, uint64(1), counter.Stats().Syncs)
	require.Equal(t, uint64(1), counter.Stats().Ops)
}

func testAtomic(t *testing.T, h Harness) {
	s := open(t, h)
	write(t, s, put("a", "0"), put("b", "0"))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			var seen [][]byte
			err := s.Scan([]byte("a"), []byte("c"), func(_, value []byte) bool {
				seen = append(seen, bytes.Clone(value))
				return true
			})
			if err != nil || len(seen) != 2 || !bytes.Equal(seen[0], seen[1]) {
				t.Errorf("half a step is visible: %q, %v", seen, err)
				return
			}
		}
	})
	for i := range 300 {
		value := fmt.Sprint(i)
		write(t, s, put("a", value), put("b", value))
	}
	close(stop)
	readers.Wait()
}

func testLarge(t *testing.T, h Harness) {
	s := open(t, h)
	const size = 6 << 20 // more than a batch
	large := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	first := result(s, put("large", string(large)), put("small", "1"))
	var last <-chan error
	for i := range 5000 { // several batches
		last = result(s, put(fmt.Sprintf("k%04d", i), fmt.Sprint(i)))
	}
	require.NoError(t, <-first)
	require.NoError(t, <-last)
	require.NoError(t, s.Close())

	s = open(t, h)
	requireGet(t, s, "large", large)
	requireGet(t, s, "small", []byte("1"))
	got := pairs(t, s, []byte("k"), []byte("l"))
	require.Len(t, got, 2*5000)
	for i := range 5000 {
		require.Equal(t, fmt.Sprint(i), got[2*i+1])
	}
}

func testConcurrent(t *testing.T, h Harness) {
	s := open(t, h)
	var writers sync.WaitGroup
	for w := range 64 {
		writers.Go(func() {
			for i := range 30 {
				key, value := fmt.Appendf(nil, "w%d", w), fmt.Appendf(nil, "%d-%d", w, i)
				err := <-result(s, store.Op{Key: key, Value: value})
				got, getErr := s.Get(key)
				if err != nil || getErr != nil || !bytes.Equal(got, value) {
					t.Errorf("read %q after writing %q: %v, %v", got, value, err, getErr)
					return
				}
			}
		})
	}
	writers.Wait()
	require.Len(t, pairs(t, s, nil, nil), 2*64)
}
