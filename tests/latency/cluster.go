package latency

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dyad-db/dyad/tests/proc"
)

// Cluster is three nodes with RocksDB and a gateway, each a process of its own.
type Cluster struct {
	Nodes   []*proc.Process // db-0, db-1, db-2
	Gateway *proc.Process
	URL     string // of the gateway

	nodeURLs []string
}

// StartCluster builds the programs and runs them until the test ends. It
// returns once the gateway is ready.
func StartCluster(tb testing.TB) *Cluster {
	tb.Helper()
	const module = "github.com/dyad-db/dyad"
	bin := proc.Build(tb, "-tags", "nomsgpack", module+"/gateway/cmd/gateway", module+"/dbnode/cmd/dbnode")
	dir, addresses := tb.TempDir(), proc.FreeAddresses(tb, 4)
	c := &Cluster{URL: "http://" + addresses[3]}
	var list []string
	for i, address := range addresses[:3] {
		c.nodeURLs = append(c.nodeURLs, "http://"+address)
		list = append(list, fmt.Sprintf("%s=http://%s", nodeID(i), address))
	}
	nodes := strings.Join(list, ",")
	for i, address := range addresses[:3] {
		c.Nodes = append(c.Nodes, proc.Start(tb, dir, nodeID(i), filepath.Join(bin, "dbnode"),
			"--id", nodeID(i), "--listen", address, "--data", filepath.Join(dir, nodeID(i)),
			"--nodes", nodes, "--engine", "rocksdb"))
	}
	for i, node := range c.Nodes {
		node.WaitOK(c.nodeURLs[i] + "/readyz")
	}
	c.Gateway = proc.Start(tb, dir, "gateway", filepath.Join(bin, "gateway"), "--listen", addresses[3], "--nodes", nodes)
	c.Gateway.WaitOK(c.URL + "/readyz")
	return c
}

func nodeID(i int) string { return fmt.Sprintf("db-%d", i) }

// Gateways satisfies Target.
func (c *Cluster) Gateways() []string { return []string{c.URL} }

// TakeAway satisfies Target: SIGKILL.
func (c *Cluster) TakeAway(_ testing.TB, node int) { c.Nodes[node].Kill() }

// BringBack satisfies Target.
func (c *Cluster) BringBack(_ testing.TB, node int) { c.Nodes[node].Start() }

// PIDs returns the ids of the processes that run.
func (c *Cluster) PIDs() []int {
	var pids []int
	for _, p := range append([]*proc.Process{c.Gateway}, c.Nodes...) {
		if p.Running() {
			pids = append(pids, p.PID())
		}
	}
	return pids
}
