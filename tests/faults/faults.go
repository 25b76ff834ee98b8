// Package faults does to the programs of a real cluster what happens in real
// life, and undoes it: killed, frozen, cut off, restarted, their disks lost, put
// back to an older copy, full, or failing a sync.
//
// Invariants:
//   - A fault that can't be inflicted fails its test: none is silently left out.
//   - What a fault needs of the machine (namespaces, mounts, tracers) is gone when
//     the test ends. What a killed test left, the next one removes.
package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/latency"
)

// ownName begins the names of what this process makes on the machine.
func ownName() string { return fmt.Sprintf("dyad-%d", os.Getpid()) }

// stale reports whether a name is that of something whose maker is gone.
func stale(name string) bool {
	rest, ours := strings.CutPrefix(name, "dyad-")
	pid, _, _ := strings.Cut(rest, "-")
	if _, err := strconv.Atoi(pid); !ours || err != nil {
		return false
	}
	_, err := os.Stat("/proc/" + pid)
	return os.IsNotExist(err)
}

func fault(c *latency.Cluster, i int, what string, away time.Duration, do, undo func()) latency.Fault {
	return latency.Fault{Victim: c.Name(i), What: what, Away: away, Gateway: i >= placement.Nodes, Do: do, Undo: undo}
}

// Killed is SIGKILL of program i.
func Killed(c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return fault(c, i, "killed", away, c.Programs[i].Kill, c.Programs[i].Start)
}

// Frozen is SIGSTOP of program i.
func Frozen(c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return fault(c, i, "frozen", away, c.Programs[i].Freeze, c.Programs[i].Thaw)
}

// Restarted is an orderly stop and start of program i.
func Restarted(c *latency.Cluster, i int) latency.Fault {
	f := fault(c, i, "restarted", 0, c.Programs[i].Stop, c.Programs[i].Start)
	f.Gateway = false // it leaves nobody waiting
	return f
}

// CutOff takes program i off the network.
func CutOff(tb testing.TB, net *Network, c *latency.Cluster, i int, what string, hooks []string, away time.Duration) latency.Fault {
	return fault(c, i, what, away, func() { net.Cut(tb, i, hooks) }, func() { net.Mend(tb, i) })
}

// Parted has a fate befall what program i gets from some others, or sends to
// them, or both.
func Parted(
	tb testing.TB, net *Network, c *latency.Cluster, i int, what string, others []int, hooks []string, fate Fate, away time.Duration,
) latency.Fault {
	return fault(c, i, what, away, func() { net.Part(tb, i, others, hooks, fate) }, func() { net.Mend(tb, i) })
}

// Wiped is the loss of node i's disk.
func Wiped(tb testing.TB, c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return fault(c, i, "wiped", away, func() {
		c.Programs[i].Kill()
		Wipe(tb, c.DataDir(i))
	}, c.Programs[i].Start)
}

// Full is a full disk at node i: to the last byte, or so that only its reserve is
// left. The file takes the room.
func Full(tb testing.TB, c *latency.Cluster, i int, ballast string, toTheLastByte bool, away time.Duration) latency.Fault {
	what, do := "nearly full", func() { Leave(tb, ballast, Spared) }
	if toTheLastByte {
		what, do = "full", func() { Fill(tb, ballast) }
	}
	return fault(c, i, what, away, do, func() { require.NoError(tb, os.Remove(ballast)) })
}

// SyncFailed is an I/O error of node i's disk at one of its next syncs, which
// ends the node.
func SyncFailed(tb testing.TB, c *latency.Cluster, i int, away time.Duration) latency.Fault {
	return fault(c, i, "failed a sync", away, func() {
		require.NoError(tb, FailSyncs(tb, c.Programs[i].PID(), "3"))
		require.Error(tb, c.Programs[i].WaitEnd(), "a node whose disk fails a sync must end")
	}, c.Programs[i].Start)
}
