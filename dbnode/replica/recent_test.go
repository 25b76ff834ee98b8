package replica

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/register"
)

// TestRecentRecordIsRight whatever its disk holds, until the damage there is found.
func TestRecentRecordIsRight(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asD1, "k", rec(1, "x")))
	b.flip(recordKey(asD1, "k"))
	require.Equal(t, rec(1, "x"), b.ask(read(asD1, "k")).Record)
	require.Zero(t, b.DamageCount().Found)
	_, _, _, err := b.Check(asD1, "", 10, 1<<20)
	require.NoError(t, err)
	require.Equal(t, int64(1), b.DamageCount().Found)
	require.Equal(t, register.VerdictUnable, b.ask(read(asD1, "k")).Verdict)
}

// TestRecentDocumentIsItsOwn: the frame that it came in may be used again.
func TestRecentDocumentIsItsOwn(t *testing.T) {
	b := newBench(t)
	doc := []byte("before")
	b.ask(accept(asD1, "k", register.Record{Ballot: ballot(1), Op: ballot(1), Doc: doc}))
	copy(doc, "xxxxxx")
	require.Equal(t, rec(1, "before"), b.ask(read(asD1, "k")).Record)
}

// TestRecentForgets the older of two keys that share a slot, and holds a blank as
// well as a record.
func TestRecentForgets(t *testing.T) {
	var c recent
	_, ok := c.get("k")
	require.False(t, ok)
	c.put("k", register.Record{})
	got, ok := c.get("k")
	require.True(t, ok)
	require.True(t, got.Blank())
	rival := ""
	for i := 0; rival == ""; i++ {
		if key := fmt.Sprint(i); c.slot(key) == c.slot("k") {
			rival = key
		}
	}
	_, ok = c.get(rival)
	require.False(t, ok)
	c.drop(rival)
	_, ok = c.get("k")
	require.True(t, ok, "the other one was not meant")
	c.put(rival, rec(1, "x"))
	_, ok = c.get("k")
	require.False(t, ok)
	c.drop(rival)
	_, ok = c.get(rival)
	require.False(t, ok)
}
