package storage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	generations  = 8  // disturbed writers that a store sees, one after the other
	shownAtMost  = 10 // findings of one life
	livesPerWant = 4  // a fault that was drawn may come too late for its writer
)

// series is many lives of writers, on one store after the other.
type series struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	started time.Time

	lives, acked, findings int
	kinds                  tally // of what befell the writers
}

// tally counts how often things happened.
type tally map[string]int

func (c tally) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		all = append(all, fmt.Sprint(c[name], " ", name))
	}
	return strings.Join(all, ", ")
}

func newSeries(t *testing.T) *series {
	t.Helper()
	seed := uint64(number(t, "DYAD_SEED", 0))
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	return &series{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), started: time.Now(), kinds: tally{}}
}

// run disturbs writers until that has succeeded as often as is wanted. disturb
// says what befell one, or "" if it escaped.
func (s *series) run(want int, begin func(l *lineage), disturb func(l *lineage) (life, string)) {
	s.t.Helper()
	done := 0
	for number := uint64(0); done < want && s.lives < livesPerWant*want; number++ {
		l := newLineage(filepath.Join(s.t.TempDir(), "disk"), s.seed+number)
		require.NoError(s.t, os.Mkdir(l.dir, 0o700))
		begin(l)
		for generation := 0; generation < generations && done < want && len(l.findings) == 0; generation++ {
			f, kind := disturb(l)
			s.lives++
			s.acked += f.acked
			if kind != "" {
				done++
				s.kinds[kind]++
			}
			s.report(l, fmt.Sprintf("generation %d, %s", generation, kind))
		}
		if len(l.findings) == 0 {
			l.undisturbed(s.t)
			s.report(l, "undisturbed")
		}
		require.NoError(s.t, os.RemoveAll(l.dir))
	}
	if done < want {
		s.t.Errorf("only %d of %d lives were disturbed", done, want)
	}
	s.t.Logf("%d disturbed of %d lives, %d steps acknowledged, %d findings, in %v, seed %d: %v",
		done, s.lives, s.acked, s.findings, time.Since(s.started).Round(100*time.Millisecond), s.seed, s.kinds)
}

// report fails the test if there are findings.
func (s *series) report(l *lineage, what string) {
	s.t.Helper()
	for i, finding := range l.findings {
		if i == shownAtMost {
			s.t.Errorf("... and %d more", len(l.findings)-i)
			break
		}
		s.t.Errorf("steps %d, %s: %s", l.steps.seed, what, finding)
	}
	s.findings += len(l.findings)
}

// number is that of an environment variable, or else small.
func number(t *testing.T, variable string, small int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return small
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "%s is a number", variable)
	return n
}
