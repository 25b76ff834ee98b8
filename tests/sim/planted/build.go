package sim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/sim"
)

var (
	allBugsFlag = flag.Bool("sim.allbugs", false, "look for the planted bugs that take long, too")
	bugFlag     = flag.String("sim.bug", "", "look for this planted bug only")
	bugRunsFlag = flag.Int("sim.bugruns", 400_000, "give a planted bug up after so many runs")
)

// plantVariable names the bug that is in force in a build with all of them.
const plantVariable = "DYAD_SIM_PLANTED"

const plantedSource = `package register

import "os"

var planted = os.Getenv("` + plantVariable + `")

// Planted reports whether the bug of that name is in force.
func Planted(name string) bool { return planted == name }
`

// TestPlantedBugs leaves one rule after the other out of a copy of the code, and
// expects the simulator to find each. The code itself has no switch for it: the
// copies replace it when the planted test binary is built.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary and runs it some dozen times")
	}
	binary := buildPlanted(t)
	for _, p := range plants {
		if *bugFlag != "" && p.name != *bugFlag || p.slow && !*allBugsFlag && *bugFlag == "" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			seed, runs := hunt(t, binary, p.name)
			t.Logf("%s: found by seed %d after %d runs", p.what, seed, runs)
			require.Empty(t, sim.Run(seed, nil).Violations, "the seed must be good without the bug")
		})
	}
}

var (
	badSeed = regexp.MustCompile(`seed (\d+) is bad`)
	runsOf  = regexp.MustCompile(`: (\d+) runs in`)
)

// hunt runs the planted binary until a seed shows the bug.
func hunt(t *testing.T, binary, name string) (seed uint64, runs int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestSim$", "-test.v",
		"-test.cpu="+strconv.Itoa(parallelism()), fmt.Sprintf("-sim.seeds=%d", *bugRunsFlag))
	cmd.Env = append(os.Environ(), plantVariable+"="+name)
	out, err := cmd.CombinedOutput()
	bad, count := badSeed.FindSubmatch(out), runsOf.FindSubmatch(out)
	require.Error(t, err, "not found in %d runs", *bugRunsFlag)
	require.NotNil(t, bad, "the run failed for another reason:\n%s", out)
	seed, err = strconv.ParseUint(string(bad[1]), 10, 64)
	require.NoError(t, err)
	if count != nil {
		runs, err = strconv.Atoi(string(count[1]))
		require.NoError(t, err)
	}
	return seed, runs
}

// buildPlanted builds this package's test binary from sources with every plant.
func buildPlanted(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	sources := map[string][]byte{"pkg/register/planted.go": []byte(plantedSource)}
	for _, p := range plants {
		for _, e := range p.edits {
			if sources[e.file] == nil {
				sources[e.file], err = os.ReadFile(filepath.Join(root, e.file))
				require.NoError(t, err)
			}
			require.Equal(t, 1, bytes.Count(sources[e.file], []byte(e.old)),
				"%s: the rule that %q leaves out no longer stands there as %q; bring the plant up to date", e.file, p.name, e.old)
			inForce := fmt.Sprintf("Planted(%q)", p.name)
			if !strings.HasPrefix(e.file, "pkg/register/") {
				inForce = "register." + inForce
			}
			text := strings.ReplaceAll(e.new, "PLANTED", inForce)
			sources[e.file] = bytes.Replace(sources[e.file], []byte(e.old), []byte(text), 1)
		}
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for file, source := range sources {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		require.NoError(t, os.WriteFile(copied, source, 0o600))
		replace[filepath.Join(root, file)] = copied
	}
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, list, 0o600))
	binary := filepath.Join(dir, "planted.test")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}
