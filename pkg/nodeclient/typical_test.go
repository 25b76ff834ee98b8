package nodeclient

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTypical: a few late replies among many don't make a node slow, a second of
// them does, and so does one after an idle while.
func TestTypical(t *testing.T) {
	const quick, late, bound = 2 * time.Millisecond, 150 * time.Millisecond, 50 * time.Millisecond
	now := time.Unix(1_700_000_000, 0)
	var typical typical
	note := func(n int, every, took time.Duration) {
		for range n {
			now = now.Add(every)
			typical.note(now, took)
		}
	}
	require.Zero(t, typical.get())
	note(1, 0, quick)
	require.Equal(t, quick, typical.get(), "the first says all")
	note(1000, time.Millisecond, quick)
	note(20, 5*time.Millisecond, late)
	require.Less(t, typical.get(), bound)
	note(200, 5*time.Millisecond, late)
	require.Greater(t, typical.get(), bound)
	note(1, 5*time.Second, quick)
	require.Equal(t, quick, typical.get())
	note(1, 5*time.Second, late)
	require.Equal(t, late, typical.get())
	note(1, -time.Second, quick)
	require.Equal(t, late, typical.get(), "a sample from before the last one counts for nothing")
}
