package nemesis

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/sim/planted"
)

// plant is a rule left out of the programs: old, which stands once in the file,
// is replaced.
type plant struct{ name, what, file, old, new string }

var plants = []plant{
	{
		"lost-is-proof", "an accept without an answer is taken as proof of not applied",
		"pkg/register/message.go", "	case VerdictYes, VerdictLost:\n", "	case VerdictLost:\n		return true\n	case VerdictYes:\n",
	},
	{
		"accept-below-promise", "an acceptor stores below its promise",
		"pkg/register/acceptor.go", "if b.Less(bar) ||", "if b.Less(bar) && false ||",
	},
	{
		"read-without-repair", "a read answers the higher record, unchosen",
		"pkg/register/round_read.go", "	default:\n		r.forward(", "	case true:\n		r.finishRead(hi)\n	default:\n		r.forward(",
	},
	{
		"handoff-to-one", "the witness forgets a hint that one data replica has",
		"pkg/register/handoff.go", "if s == [2]delivery{deliveryHeld, deliveryHeld} {", "if s[0] == deliveryHeld || s[1] == deliveryHeld {",
	},
	{
		"wiped-votes", "a node whose disk was lost votes at once",
		"dbnode/replica/identity.go", "Life{Incarnation: incarnation, Joining: true}", "Life{Incarnation: incarnation}",
	},
	{
		"rolled-back-votes", "a node goes on with an old copy of its disk",
		"dbnode/membership/decide.go", "case old && own.Incarnation > 0:", "case false && old && own.Incarnation > 0:",
	},
}

// TestPlantsStand keeps the plants up to date with the code that they break.
func TestPlantsStand(t *testing.T) {
	for _, p := range plants {
		p.source(t)
	}
}

// source returns the broken file.
func (p plant) source(t *testing.T) []byte {
	t.Helper()
	good, err := os.ReadFile(filepath.Join("..", "..", p.file))
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(good, []byte(p.old)),
		"%s: the rule that %q leaves out no longer stands there as %q; bring the plant up to date", p.file, p.name, p.old)
	return bytes.Replace(good, []byte(p.old), []byte(p.new), 1)
}

// sow has every program that the test builds from now on built without the rule
// of that name.
func sow(t *testing.T, name string) {
	t.Helper()
	for _, p := range plants {
		if p.name != name {
			continue
		}
		t.Log("planted: ", p.what)
		root, err := filepath.Abs(filepath.Join("..", ".."))
		require.NoError(t, err)
		overlay, err := planted.Overlay(root, t.TempDir(), map[string][]byte{p.file: p.source(t)})
		require.NoError(t, err)
		t.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
		return
	}
	t.Fatalf("there is no plant %q: see tests/nemesis/plants_test.go", name)
}
