package history_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
)

// FuzzRead: lines that are taken say the same when they are written again, and a
// history of a few of them gets a verdict, or the reason why it can have none.
func FuzzRead(f *testing.F) {
	var good bytes.Buffer
	name := "B"
	require.NoError(f, history.Write(&good, []history.Operation{
		at(0, 1, 2, history.Create(ann(1)), history.Done(ann(1))),
		at(1, 3, 4, history.Update("ann", history.Patch{Name: &name}), unknown),
		at(0, 5, 6, history.Get("ann"), notFound),
		at(0, 7, 8, history.Delete("ann"), history.Ended(history.OK)),
	}))
	f.Add(good.Bytes())
	f.Add([]byte("{}\n\n"))
	f.Add([]byte(`{"client":-1,"call":9,"return":1,"input":{"kind":"get","id":"a"},"output":{"outcome":"unknown"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ops, err := history.Read(bytes.NewReader(data))
		if err != nil {
			require.Contains(t, err.Error(), "of the history")
			return
		}
		var one, two strings.Builder
		require.NoError(t, history.Write(&one, ops))
		again, err := history.Read(strings.NewReader(one.String()))
		require.NoError(t, err)
		require.Equal(t, ops, again)
		require.NoError(t, history.Write(&two, again))
		require.Equal(t, one.String(), two.String())

		const few = 8 // the checker's time grows with what overlaps
		verdict, info := history.Check(ops[:min(few, len(ops))], time.Minute)
		require.NotEqual(t, history.Undecided, verdict)
		require.Equal(t, verdict == history.Malformed, info.Problem != nil)
	})
}
