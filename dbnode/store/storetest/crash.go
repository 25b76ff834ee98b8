package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

func testCloseDrains(t *testing.T, h Harness) {
	s := open(t, h)
	const steps = 2000
	var acknowledged atomic.Int64
	for i := range steps {
		s.Write([]store.Op{put(fmt.Sprintf("%04d", i), "v")}, func(err error) {
			if err == nil {
				acknowledged.Add(1)
			}
		})
	}
	require.NoError(t, s.Close())
	require.EqualValues(t, steps, acknowledged.Load())

	s = open(t, h)
	require.Len(t, pairs(t, s, nil, nil), 2*steps)
}

func testClosed(t *testing.T, h Harness) {
	s := open(t, h)
	write(t, s, put("a", "1"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "a second Close answers the same")

	_, err := s.Get([]byte("a"))
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, s.Scan(nil, nil, func(_, _ []byte) bool { return true }), store.ErrClosed)
	_, err = s.Usage()
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, <-result(s, put("a", "2")), store.ErrClosed)
	require.ErrorIs(t, <-result(s), store.ErrClosed)

	requireGet(t, open(t, h), "a", []byte("1"))
}

func testLocked(t *testing.T, h Harness) {
	s := open(t, h)
	_, err := h.Open()
	require.ErrorIs(t, err, store.ErrLocked)
	write(t, s, put("a", "1")) // the first is unharmed
	require.NoError(t, s.Close())
	requireGet(t, open(t, h), "a", []byte("1"))
}

func testCrash(t *testing.T, h Harness) {
	for round := range 3 {
		s := open(t, h)
		prefix := fmt.Sprintf("%d-", round)
		const queued = 2000
		write(t, s, put(prefix+"0000", "v"))
		var acknowledged atomic.Int64
		acknowledged.Store(1)
		half := make(chan struct{})
		for i := 1; i <= queued; i++ {
			s.Write([]store.Op{put(fmt.Sprintf("%s%04d", prefix, i), "v")}, func(err error) {
				if err == nil && acknowledged.Add(1) == queued/2 {
					close(half)
				}
			})
		}
		<-half
		sure := acknowledged.Load()
		h.Crash()

		s = open(t, h)
		got := pairs(t, s, []byte(prefix), []byte(prefix+":"))
		require.GreaterOrEqual(t, int64(len(got)/2), sure, "acknowledged writes are lost")
		for i := range len(got) / 2 {
			require.Equal(t, fmt.Sprintf("%s%04d", prefix, i), got[2*i], "not a prefix")
		}
		require.NoError(t, s.Close())
	}
}

func testFailure(t *testing.T, h Harness) {
	if h.Break == nil {
		t.Skip("this engine can't be made to fail here")
	}
	s := open(t, h)
	write(t, s, put("a", "1"))
	h.Break()
	for _, err := range []error{<-result(s, put("a", "2")), <-result(s, put("b", "2")), <-result(s)} {
		require.ErrorIs(t, err, store.ErrFailed)
		require.False(t, errors.Is(err, store.ErrClosed))
	}
	requireGet(t, s, "a", []byte("1"))
	requireGet(t, s, "b", nil)
	require.ErrorIs(t, s.Close(), store.ErrFailed)

	s = open(t, h)
	require.Equal(t, []string{"a", "1"}, pairs(t, s, nil, nil))
	write(t, s, put("a", "3"))
}
