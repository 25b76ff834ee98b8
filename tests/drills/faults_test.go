package drills

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
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

func drillKill(t *testing.T, s sizes) { eachVictim(t, killed, s.away(10)) }

func killed(c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return latency.Fault{
		Victim: c.Name(i), What: "killed", Away: away, Gateway: i >= placement.Nodes,
		Do: c.Programs[i].Kill, Undo: c.Programs[i].Start,
	}
}

func drillFreeze(t *testing.T, s sizes) { eachVictim(t, frozen, s.away(30)) }

func frozen(c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return latency.Fault{
		Victim: c.Name(i), What: "frozen", Away: away, Gateway: i >= placement.Nodes,
		Do: c.Programs[i].Freeze, Undo: c.Programs[i].Thaw,
	}
}

func drillCut(t *testing.T, s sizes) {
	net := newNetwork(t, placement.Nodes+gateways)
	c := latency.StartCluster(t, gateways, net.hosts...)
	l := latency.Start(t, c, load(0))
	for _, i := range victims() {
		l.Suffer(cutOff(t, net, c, i, "cut off", bothWays, s.away(10)))
		l.Suffer(cutOff(t, net, c, i, "deaf", inwards, s.away(10)))
		l.Suffer(cutOff(t, net, c, i, "mute", outwards, s.away(10)))
	}
	conclude(t, l, c.Nodes())
}

func cutOff(t *testing.T, net *network, c *latency.Cluster, i int, what string, hooks []string, away time.Duration) latency.Fault {
	return latency.Fault{
		Victim: c.Name(i), What: what, Away: away, Gateway: i >= placement.Nodes,
		Do: func() { net.cut(t, i, hooks) }, Undo: func() { net.mend(t, i) },
	}
}

// drillRolling: an orderly stop answers what it took, so that no change may move
// whose first copy had left.
func drillRolling(t *testing.T, _ sizes) {
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(0))
	for i := range c.Programs {
		l.Suffer(restarted(c, i))
	}
	for _, row := range conclude(t, l, c.Nodes()).Rows {
		assert.Zero(t, row.Doubt, "changes that a stopping gateway took and did not answer: %s", row.Phase)
	}
}

func restarted(c *latency.Cluster, i int) latency.Fault {
	return latency.Fault{Victim: c.Name(i), What: "restarted", Do: c.Programs[i].Stop, Undo: c.Programs[i].Start}
}

func drillWipe(t *testing.T, s sizes) {
	users := s.users(200_000)
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(users))
	for i := range placement.Nodes {
		l.Suffer(wiped(t, c, i))
	}
	conclude(t, l, c.Nodes())
}

func wiped(t *testing.T, c *latency.Cluster, i int) latency.Fault {
	return latency.Fault{
		Victim: c.Name(i), What: "wiped", Away: time.Second,
		Do: func() {
			c.Programs[i].Kill()
			require.NoError(t, os.RemoveAll(c.DataDir(i)))
		},
		Undo: c.Programs[i].Start,
	}
}
