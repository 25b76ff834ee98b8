package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests run in a synctest bubble, where one that would hang fails at once.
// In dones they assert: only the goroutine of a test may call require.

// engine is a write function that records its batches and can be held up.
type engine struct {
	entered chan struct{} // a write began
	proceed chan error    // what it answers
	batches [][]Op
}

func newEngine() *engine {
	return &engine{entered: make(chan struct{}), proceed: make(chan error)}
}

func (e *engine) write(ops []Op) error {
	e.entered <- struct{}{}
	e.batches = append(e.batches, append([]Op{}, ops...)) // the slice is reused
	return <-e.proceed
}

// step lets one write through.
func (e *engine) step(err error) {
	<-e.entered
	e.proceed <- err
}

func put(key string, size int) []Op {
	return []Op{{Key: []byte(key), Value: make([]byte, size)}}
}

func ignore(error) {}

// hold queues a step and waits until the engine writes it, so that all that is
// queued from now on waits together.
func hold(c *Committer, e *engine) {
	c.Write(put("held", 0), ignore)
	<-e.entered
}

func sizes(batches [][]Op) []int {
	var n []int
	for _, b := range batches {
		n = append(n, len(b))
	}
	return n
}

func TestCommitterGathersWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		c := NewCommitter(e.write)
		hold(c, e)
		var order []int
		for i := range 2*maxBatchSteps + 5 {
			c.Write(put(fmt.Sprint(i), 10), func(err error) {
				assert.NoError(t, err)
				order = append(order, i)
			})
		}
		e.proceed <- nil
		for range 3 {
			e.step(nil)
		}
		require.NoError(t, c.Close())

		require.Equal(t, []int{1, maxBatchSteps, maxBatchSteps, 5}, sizes(e.batches))
		for i, got := range order {
			require.Equal(t, i, got)
		}
		require.Equal(t, "0", string(e.batches[1][0].Key))
		require.Equal(t, Stats{
			Syncs: 4, Steps: 2*maxBatchSteps + 6, Ops: 2*maxBatchSteps + 6, LargestBatch: maxBatchSteps,
		}, c.Stats())
	})
}

func TestCommitterBoundsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		c := NewCommitter(e.write)
		hold(c, e)
		for _, size := range []int{
			maxBatchBytes / 2, maxBatchBytes/2 - 2, // together exactly at the bound, keys included
			1,
			maxBatchBytes * 2, // too large for any batch: alone
			1, 1,
		} {
			c.Write(put("k", size), ignore)
		}
		e.proceed <- nil
		for range 4 {
			e.step(nil)
		}
		require.NoError(t, c.Close())
		require.Equal(t, []int{1, 2, 1, 1, 2}, sizes(e.batches))
	})
}

func TestCommitterBarrierCostsNoSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		c := NewCommitter(e.write)
		done := make(chan error)
		c.Write(nil, func(err error) { done <- err }) // the engine isn't there to answer
		require.NoError(t, <-done)

		hold(c, e)
		var order []string
		c.Write(nil, func(error) { order = append(order, "barrier") })
		c.Write(put("a", 1), func(error) { order = append(order, "write") })
		c.Write(nil, func(error) { order = append(order, "barrier") })
		e.proceed <- nil
		e.step(nil)
		require.NoError(t, c.Close())
		require.Equal(t, []string{"barrier", "write", "barrier"}, order)
		require.Equal(t, Stats{Syncs: 2, Steps: 5, Ops: 2, LargestBatch: 3}, c.Stats())
	})
}

func TestCommitterStopsAtTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		c := NewCommitter(e.write)
		hold(c, e)
		full := errors.New("disk full")
		var failed int
		count := func(err error) {
			assert.ErrorIs(t, err, ErrFailed)
			assert.ErrorIs(t, err, full)
			failed++
		}
		for range maxBatchSteps + 1 { // one more than the batch that fails
			c.Write(put("a", 1), count)
		}
		c.Write(nil, count)
		e.proceed <- nil
		e.step(full)
		done := make(chan error)
		c.Write(put("later", 1), func(err error) { done <- err })
		require.ErrorIs(t, <-done, ErrFailed)

		require.ErrorIs(t, c.Close(), ErrFailed)
		require.Equal(t, maxBatchSteps+2, failed)
		require.Equal(t, []int{1, maxBatchSteps}, sizes(e.batches), "nothing is written after the error")
		require.Equal(t, Stats{Syncs: 1, Steps: 1, Ops: 1, LargestBatch: 1}, c.Stats())
	})
}

func TestCommitterCloseDrainsThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		c := NewCommitter(e.write)
		hold(c, e)
		var got []error
		collect := func(err error) { got = append(got, err) }
		c.Write(put("a", 1), func(err error) {
			collect(err)
			c.Write(put("too late", 1), collect) // refused
		})
		closed := make(chan error)
		go func() { closed <- c.Close() }()
		synctest.Wait() // Close has begun
		e.proceed <- nil
		e.step(nil)
		require.NoError(t, <-closed)
		require.NoError(t, c.Close(), "a second Close answers the same")
		require.Equal(t, []error{nil, ErrClosed}, got)
		c.Write(put("b", 1), collect)
		require.Equal(t, []error{nil, ErrClosed, ErrClosed}, got)
		require.Equal(t, []int{1, 1}, sizes(e.batches))
	})
}

func TestCommitterTakesWritesFromADone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCommitter(func([]Op) error { return nil })
		defer func() { require.NoError(t, c.Close()) }()
		var all sync.WaitGroup
		all.Add(100)
		var next func(error)
		left := 100
		next = func(err error) {
			assert.NoError(t, err)
			all.Done()
			if left--; left > 0 {
				c.Write(put("a", 1), next)
			}
		}
		c.Write(put("a", 1), next)
		all.Wait()
	})
}

func BenchmarkCommitterWrite(b *testing.B) {
	c := NewCommitter(func([]Op) error { return nil })
	ops := put("key", 100)
	admitted := make(chan struct{}, maxBatchSteps)
	done := func(error) { <-admitted }
	b.ReportAllocs()
	for b.Loop() {
		admitted <- struct{}{}
		c.Write(ops, done)
	}
	require.NoError(b, c.Close())
}
