// Package planted holds bugs: rules of the protocol, each left out of a copy of the
// code that keeps it. The simulator must find every one.
//
// Invariant: the code itself knows nothing of it. Copies replace it while a binary
// with every bug is built, and one variable of the environment says which of them is
// in force.
package planted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Plant is a bug: a rule of the protocol left out of the code that it stands in.
type Plant struct {
	Name  string
	What  string
	Rule  int  // its number among the rules that docs/CORRECTNESS.md lists; 0 for a bug of our own
	Slow  bool // takes too many runs to be looked for with all other tests
	edits []edit
}

// edit replaces old, which must stand in the file exactly once, after the edits of
// the plants before. All go into one build: PLANTED in new is true only when this
// plant is the one in force.
type edit struct{ file, old, new string }

// variable names the bug that is in force in a build with all of them.
const variable = "DYAD_SIM_PLANTED"

const source = `package register

import "os"

var planted = os.Getenv("` + variable + `")

// Planted reports whether the bug of that name is in force.
func Planted(name string) bool { return planted == name }
`

// Hunter is a simulator with every bug.
type Hunter struct{ binary string }

// Build builds one in dir, from the module's sources at root.
func Build(ctx context.Context, root, dir string) (*Hunter, error) {
	sources, err := plantAll(root)
	if err != nil {
		return nil, err
	}
	overlay, err := Overlay(root, dir, sources)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "sim")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./tests/sim/cmd/sim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the simulator with all bugs: %w\n%s", err, out)
	}
	return &Hunter{binary}, nil
}

// Overlay writes sources, by their paths below root, into dir, and returns the file
// for go build -overlay that has them stand in for the module's own.
func Overlay(root, dir string, sources map[string][]byte) (string, error) {
	replace := map[string]string{}
	for file, text := range sources {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = copied
	}
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// plantAll returns the sources that change, with every bug in them.
func plantAll(root string) (map[string][]byte, error) {
	sources := map[string][]byte{"pkg/register/planted.go": []byte(source)}
	for _, p := range All() {
		for _, e := range p.edits {
			if sources[e.file] == nil {
				text, err := os.ReadFile(filepath.Join(root, e.file))
				if err != nil {
					return nil, err
				}
				sources[e.file] = text
			}
			if n := bytes.Count(sources[e.file], []byte(e.old)); n != 1 {
				return nil, fmt.Errorf("%s: what %q leaves out stands there %d times, not once, as %q; bring the bug up to date", e.file, p.Name, n, e.old)
			}
			inForce := fmt.Sprintf("Planted(%q)", p.Name)
			if !strings.HasPrefix(e.file, "pkg/register/") {
				inForce = "register." + inForce
			}
			text := strings.ReplaceAll(e.new, "PLANTED", inForce)
			sources[e.file] = bytes.Replace(sources[e.file], []byte(e.old), []byte(text), 1)
		}
	}
	return sources, nil
}

// Found is what came of a hunt.
type Found struct {
	Seed uint64 // the first that shows the bug; 0 if none did
	Bad  int    // how many do
	Runs int
}

var (
	badSeed = regexp.MustCompile(`(?m)^seed (\d+) is bad, found after \d+ runs$`)
	allRuns = regexp.MustCompile(`(?m)^seeds \d+ to \d+: (\d+) runs in .* a second, (\d+) bad$`)
)

// Good reports whether a seed is good when no bug is in force.
func (h *Hunter) Good(ctx context.Context, seed uint64) (bool, error) {
	f, err := h.Hunt(ctx, "", "-base", strconv.FormatUint(seed, 10), "-runs", "1")
	return f.Bad == 0, err
}

// Hunt runs the simulator with one bug in force, with the arguments given, until a
// seed shows it or the arguments end it.
func (h *Hunter) Hunt(ctx context.Context, name string, args ...string) (Found, error) {
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Env = append(os.Environ(), variable+"="+name)
	out, err := cmd.Output()
	seed, all := badSeed.FindSubmatch(out), allRuns.FindSubmatch(out)
	if all == nil || (seed == nil) != (err == nil) {
		return Found{}, fmt.Errorf("the simulator ended without a verdict: %w\n%s", err, out)
	}
	var f Found
	var errs [3]error
	f.Runs, errs[0] = strconv.Atoi(string(all[1]))
	f.Bad, errs[1] = strconv.Atoi(string(all[2]))
	if seed != nil {
		f.Seed, errs[2] = strconv.ParseUint(string(seed[1]), 10, 64)
	}
	return f, errors.Join(errs[:]...)
}
