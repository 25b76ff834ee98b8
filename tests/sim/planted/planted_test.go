package planted_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/sim/planted"
)

// tries bounds the runs in which a bug is looked for that isn't a slow one.
const tries = "150000"

// TestPlantedBugs expects the simulator to find each bug that shows soon; make
// sim-bugs looks for all of them.
func TestPlantedBugs(t *testing.T) {
	hunter := build(t)
	for _, p := range planted.All() {
		if p.Slow {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			f, err := hunter.Hunt(t.Context(), p.Name, "-runs", tries)
			require.NoError(t, err)
			require.NotZero(t, f.Seed, "not found in %d runs", f.Runs)
			t.Logf("%s: found by seed %d after %d runs", p.What, f.Seed, f.Runs)
			good, err := hunter.Good(t.Context(), f.Seed)
			require.NoError(t, err)
			require.True(t, good, "seed %d must be good without the bug", f.Seed)
		})
	}
}

// Runs must show that one acceptor is no quorum: all but the few in which nothing is
// acknowledged, or hedges have a second acceptor hold it all the same. The seeds are
// always the same.
func TestBrokenQuorumIsNearlyAlwaysBad(t *testing.T) {
	f, err := build(t).Hunt(t.Context(), "quorum-of-one", "-base", "1", "-runs", "100", "-all")
	require.NoError(t, err)
	require.Equal(t, 100, f.Runs)
	require.GreaterOrEqual(t, f.Bad, 95)
}

// Rules 15 and 16 are about a write in one round trip, which is not built.
func TestEveryRuleIsLeftOutOnce(t *testing.T) {
	left := map[int]bool{}
	names := map[string]bool{}
	for _, p := range planted.All() {
		require.False(t, names[p.Name], "two bugs are called %s", p.Name)
		names[p.Name] = true
		left[p.Rule] = true
	}
	for rule := range 17 + 1 {
		require.Equal(t, rule != 15 && rule != 16, left[rule], "rule %d", rule)
	}
}

// docs/CORRECTNESS.md tells of each rule that is left out, and of each scenario.
func TestTheDocumentIsComplete(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(root(t), "docs", "CORRECTNESS.md"))
	require.NoError(t, err)
	for _, p := range planted.All() {
		if p.Rule > 0 {
			require.Contains(t, string(document), "`"+p.Name+"`")
		}
	}
	files, err := filepath.Glob(filepath.Join(root(t), "pkg", "register", "testdata", "scenarios", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.Contains(t, string(document), "`"+strings.TrimSuffix(filepath.Base(file), ".txt")+"`")
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	return dir
}

func build(t *testing.T) *planted.Hunter {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a simulator and runs it some dozen times")
	}
	hunter, err := planted.Build(t.Context(), root(t), t.TempDir())
	require.NoError(t, err)
	return hunter
}
