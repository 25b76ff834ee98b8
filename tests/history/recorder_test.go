package history_test

import (
	"bufio"
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
)

// ticks is a clock that advances by one at each look.
func ticks() func() int64 {
	var now atomic.Int64
	return func() int64 { return now.Add(1) }
}

func TestRecorderOrdersCallsAndReturns(t *testing.T) {
	r := history.NewRecorder(ticks())
	first := r.Call(0, history.Create(ann(1)))
	second := r.Call(1, history.Get("ann"))
	second.Return(notFound)
	first.Return(history.Done(ann(1)))
	r.Call(2, history.Delete("ann"))

	assert.Equal(t, []history.Operation{
		at(0, 1, 4, history.Create(ann(1)), history.Done(ann(1))),
		at(1, 2, 3, history.Get("ann"), notFound),
		at(2, 5, 5, history.Delete("ann"), unknown),
	}, r.History())
}

// A register behind a lock, used by many clients at once, is linearizable.
func TestRecorderUnderConcurrency(t *testing.T) {
	const clients, each = 8, 50
	r := history.NewRecorder(ticks())
	var mu sync.Mutex
	var user *history.User
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := range each {
				in := []history.Input{
					history.Create(ann(client)), group(100*client + i), name(strings.Repeat("x", i+1)),
					history.Get("ann"), history.Delete("ann"),
				}[(client+i)%5]
				pending := r.Call(client, in)
				mu.Lock()
				var out history.Output
				out, user = perform(user, in)
				mu.Unlock()
				pending.Return(out)
			}
		})
	}
	wg.Wait()
	info := history.Require(t, r.History(), limit, t.TempDir())
	assert.Equal(t, clients*each, info.Operations)
}

func TestLinesRoundTrip(t *testing.T) {
	odd := history.User{ID: "a", Name: "Zoë \"O'Neil\" <𠮷> \u2028", Email: "z@example.com", Group: 2147483647}
	zero := 0
	ops := []history.Operation{
		at(0, 0, 1, history.Create(odd), history.Done(odd)),
		at(1, 2, 3, history.Update("a", history.Patch{Group: &zero}), unknown),
		at(2, 4, 5, history.Delete("a"), done),
		at(2, 6, 7, history.Get("a"), notFound),
	}
	var buf bytes.Buffer
	require.NoError(t, history.Write(&buf, ops))
	assert.Equal(t, len(ops), strings.Count(buf.String(), "\n"))
	back, err := history.Read(&buf)
	require.NoError(t, err)
	assert.Equal(t, ops, back)
}

func TestReadNamesTheBadLine(t *testing.T) {
	_, err := history.Read(strings.NewReader("{\"client\":1}\n{\"client\":\n"))
	assert.ErrorContains(t, err, "line 2")
	_, err = history.Read(strings.NewReader("{}\n" + strings.Repeat("x", 2<<20)))
	assert.ErrorContains(t, err, "line 2")
	assert.ErrorIs(t, err, bufio.ErrTooLong)
}
