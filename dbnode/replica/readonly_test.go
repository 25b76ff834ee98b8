package replica

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
)

func growing(q register.Request) register.Request {
	q.Grows = true
	return q
}

// TestReadOnlyRefusesWhatGrows, and does nothing of it; it takes what must go on,
// and all of it when there is room again.
func TestReadOnlyRefusesWhatGrows(t *testing.T) {
	b := newBench(t)
	require.Equal(t, register.VerdictYes, b.ask(accept(asD1, "k", rec(1, "old"))).Verdict)
	b.SetReadOnly(true)
	require.True(t, b.ReadOnly())

	require.Equal(t, register.Reply{Verdict: register.VerdictFull}, b.ask(growing(prepare(asD1, "k", 9))))
	require.Equal(t, register.Reply{Verdict: register.VerdictFull}, b.ask(growing(accept(asD1, "k", rec(9, "repair")))))
	require.Equal(t, register.Reply{Verdict: register.VerdictFull}, b.ask(growing(accept(asW, "k", rec(9, "hint")))), "no hint either")

	require.Equal(t, "old", string(b.ask(read(asD1, "k")).Record.Doc))
	require.Equal(t, register.VerdictYes, b.ask(growing(accept(asD1, "k", rec(1, "old")))).Verdict, "it holds that")
	require.Equal(t, register.VerdictYes, b.ask(prepare(asD1, "k", 2)).Verdict, "9 was not promised")
	require.Equal(t, register.VerdictYes, b.ask(accept(asD1, "k", tombstone(2))).Verdict)
	refused := b.ask(growing(accept(asD1, "k", rec(1, "old"))))
	require.Equal(t, register.VerdictRefused, refused.Verdict, "it holds a newer one, which a handoff wants to hear")
	require.Equal(t, ballot(2), refused.Held)

	b.SetReadOnly(false)
	require.Equal(t, register.VerdictYes, b.ask(growing(prepare(asD1, "k", 10))).Verdict)
	require.Equal(t, register.VerdictYes, b.ask(growing(accept(asD1, "k", rec(10, "new")))).Verdict)
}

// TestReadOnlyIsNotFilledUp by those who bring a replica what it lacks.
func TestReadOnlyIsNotFilledUp(t *testing.T) {
	b := newBench(t)
	b.SetReadOnly(true)
	b.Copy(asD1, []register.Hint{{Key: "k", Record: rec(1, "lost")}}, func(err error) { require.ErrorIs(t, err, ErrReadOnly) })
	b.Digest(asD1, func(_ digest.Tree, err error) { require.ErrorIs(t, err, ErrReadOnly) })
	b.store.Sync()
	require.True(t, b.ask(read(asD1, "k")).Record.Blank())
}
