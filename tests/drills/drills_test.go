package drills

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drill is one of the drills. make drills prints the names and lines from here.
type drill struct {
	name, line string
	run        func(t *testing.T, s sizes)
}

func drills() []drill {
	return []drill{
		{"compose", "docker-compose stop db-1, wait, start, under load (FOR=60)", drillCompose},
		{"compose-matrix", "docker-compose stop and start of each service, each pair, all: what is available", drillMatrix},
		{"kill", "kill -9 of each node and of a gateway, and start again (FOR=10)", drillKill},
		{"freeze", "SIGSTOP of each node and of a gateway, and SIGCONT (FOR=30)", drillFreeze},
		{"cut", "each node and a gateway cut off the network, both ways and one way (FOR=10)", drillCut},
		{"rolling", "a rolling restart of all nodes and gateways", drillRolling},
		{"wipe", "each node's disk lost under load, one after the other (USERS=200000)", drillWipe},
		{"stale-survivor", "a replica that lacks an acknowledged write comes back while the one that has it is gone", drillStaleSurvivor},
		{"wiped-survivor", "a replica's disk is lost while the other replica is away: it does not vote (FOR=3)", drillWipedSurvivor},
		{"rolled-back", "the same with a disk that was put back to an older copy (FOR=3)", drillRolledBack},
		{"delete-while-away", "a deletion while each node in turn is away, with copies and hints of the user (FOR=5)", drillDeleteWhileAway},
		{"old-hint", "a witness comes back with a hint that is older than the record", drillOldHint},
		{"divergence", "one record among many lost at one replica: anti-entropy finds it (USERS=1000000)", drillDivergence},
		{"flipped-byte", "a byte flipped in a log, a MANIFEST and an SST file of a stopped node (USERS=20000)", drillFlippedByte},
		{"full-disk", "the disk of one node full, and room again (FOR=10)", drillFullDisk},
		{"two-full-disks", "the disks of two nodes full: what needs room is refused, reads and deletions go on", drillTwoFullDisks},
		{"catch-up", "a node away during many creates, and a quarter as many deletes (USERS=200000)", drillCatchUp},
		{"hour", "a random fault a minute (DURATION=1h, SEED)", drillHour},
	}
}

// TestDrill runs the drill that DYAD_DRILL names.
func TestDrill(t *testing.T) {
	name := os.Getenv("DYAD_DRILL")
	if name == "" {
		t.Skip("takes minutes and a quiet machine: make drills lists them, make drill NAME=... runs one")
	}
	for _, d := range drills() {
		if d.name == name {
			t.Run(d.name, func(t *testing.T) { d.run(t, sizes{t}) })
			return
		}
	}
	t.Fatalf("there is no drill %q: make drills lists them", name)
}

// sizes are what a caller may scale, from the environment.
type sizes struct{ t *testing.T }

// away is how long a victim stays away.
func (s sizes) away(seconds int) time.Duration {
	return time.Duration(s.number("DYAD_FOR", seconds)) * time.Second
}

func (s sizes) users(n int) int { return s.number("DYAD_USERS", n) }

func (s sizes) duration() time.Duration {
	s.t.Helper()
	text := os.Getenv("DYAD_DURATION")
	if text == "" {
		return time.Hour
	}
	d, err := time.ParseDuration(text)
	require.NoError(s.t, err, "DURATION is a time such as 90s, 10m or 1h")
	return d
}

// seed is a number to draw faults from; printed, so that a run can be repeated.
func (s sizes) seed() uint64 {
	s.t.Helper()
	seed := uint64(s.number("DYAD_SEED", 1+rand.IntN(1e9)))
	s.t.Logf("SEED=%d", seed)
	return seed
}

func (s sizes) number(name string, otherwise int) int {
	s.t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(s.t, err, "%s must be a whole number", name)
	require.Positive(s.t, n, "%s must be positive", name)
	return n
}
