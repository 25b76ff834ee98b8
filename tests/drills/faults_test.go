package drills

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
)

// victims are the programs that are taken away in turn: each node, one gateway.
func victims() []int { return []int{0, 1, 2, placement.Nodes} }

// eachVictim has every victim suffer the same fault.
func eachVictim(t *testing.T, fault func(c *latency.Cluster, i int, away time.Duration) latency.Fault, away time.Duration) {
	t.Helper()
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(0))
	for _, i := range victims() {
		l.Suffer(fault(c, i, away))
	}
	conclude(t, l, c.Nodes())
}

func drillKill(t *testing.T, s sizes) { eachVictim(t, faults.Killed, s.away(10)) }

func drillFreeze(t *testing.T, s sizes) { eachVictim(t, faults.Frozen, s.away(30)) }

func drillCut(t *testing.T, s sizes) {
	net := faults.NewNetwork(t, placement.Nodes+gateways)
	c := latency.StartCluster(t, gateways, net.Hosts...)
	l := latency.Start(t, c, load(0))
	for _, i := range victims() {
		l.Suffer(faults.CutOff(t, net, c, i, "cut off", faults.BothWays, s.away(10)))
		l.Suffer(faults.CutOff(t, net, c, i, "deaf", faults.Inwards, s.away(10)))
		l.Suffer(faults.CutOff(t, net, c, i, "mute", faults.Outwards, s.away(10)))
	}
	conclude(t, l, c.Nodes())
}

// drillRolling: an orderly stop answers what it took, so that no change may move
// whose first copy had left.
func drillRolling(t *testing.T, _ sizes) {
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(0))
	for i := range c.Programs {
		l.Suffer(faults.Restarted(c, i))
	}
	for _, row := range conclude(t, l, c.Nodes()).Rows {
		assert.Zero(t, row.Doubt, "changes that a stopping gateway took and did not answer: %s", row.Phase)
	}
}

func drillWipe(t *testing.T, s sizes) {
	users := s.users(200_000)
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(users))
	for i := range placement.Nodes {
		l.Suffer(faults.Wiped(t, c, i, time.Second))
	}
	conclude(t, l, c.Nodes())
}
