package latency

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/proc"
)

// Host is a place for one program: an address of its own, and the words that
// make a command run there (such as ip netns exec NAME).
type Host struct {
	IP      string
	Command []string
}

// hostPort is what every program with a host of its own listens on.
const hostPort = "7100"

// Cluster is three nodes with RocksDB and some gateways, each a process of its
// own.
type Cluster struct {
	Programs []*proc.Process // db-0, db-1, db-2, gateway-0...
	URLs     []string        // of the programs

	dir string
}

// StartCluster builds the programs and runs them until the test ends. It
// returns once every gateway is ready. Without hosts, all are on loopback; else
// there is one for each program.
func StartCluster(tb testing.TB, gateways int, hosts ...Host) *Cluster {
	tb.Helper()
	const module = "github.com/dyad-db/dyad"
	bin := proc.Build(tb, "-tags", "nomsgpack", module+"/gateway/cmd/gateway", module+"/dbnode/cmd/dbnode")
	addresses := proc.FreeAddresses(tb, placement.Nodes+gateways)
	if len(hosts) == 0 {
		hosts = make([]Host, len(addresses))
	}
	c := &Cluster{dir: tb.TempDir()}
	var list []string
	for i := range addresses {
		if hosts[i].IP != "" {
			addresses[i] = net.JoinHostPort(hosts[i].IP, hostPort)
		}
		c.URLs = append(c.URLs, "http://"+addresses[i])
		if i < placement.Nodes {
			list = append(list, fmt.Sprintf("%s=%s", c.Name(i), c.URLs[i]))
		}
	}
	nodes := strings.Join(list, ",")
	for i, address := range addresses {
		command := []string{filepath.Join(bin, "gateway"), "--listen", address, "--nodes", nodes}
		if i < placement.Nodes {
			command = []string{
				filepath.Join(bin, "dbnode"), "--id", c.Name(i), "--listen", address, "--data", c.DataDir(i),
				"--nodes", nodes, "--engine", "rocksdb",
			}
		}
		command = slices.Concat(hosts[i].Command, command)
		c.Programs = append(c.Programs, proc.Start(tb, c.dir, c.Name(i), command[0], command[1:]...))
	}
	for i := range c.Programs {
		c.AwaitReady(i)
	}
	return c
}

// Name returns what program i is called.
func (c *Cluster) Name(i int) string {
	if i < placement.Nodes {
		return nodeID(i)
	}
	return fmt.Sprintf("gateway-%d", i-placement.Nodes)
}

// DataDir returns the directory of node i's data.
func (c *Cluster) DataDir(i int) string { return filepath.Join(c.dir, c.Name(i)) }

// AwaitReady waits until program i serves.
func (c *Cluster) AwaitReady(i int) { c.Programs[i].WaitOK(c.URLs[i] + "/readyz") }

func nodeID(i int) string { return fmt.Sprintf("db-%d", i) }

// Nodes returns the URLs of the nodes.
func (c *Cluster) Nodes() []string { return c.URLs[:placement.Nodes] }

// Gateways satisfies Target.
func (c *Cluster) Gateways() []string { return c.URLs[placement.Nodes:] }

// PIDs satisfies Target.
func (c *Cluster) PIDs() []int {
	var pids []int
	for _, p := range c.Programs {
		if p.Running() {
			pids = append(pids, p.PID())
		}
	}
	return pids
}
