package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

// toolLimit bounds one call of ip or nft.
const toolLimit = 20 * time.Second

// Network is one network namespace for each program, joined by a bridge in a
// namespace of its own, where no packet filter of this machine reaches. The test
// itself is on the bridge too, as host 254.
type Network struct {
	Hosts []latency.Host // one for each program
	names []string       // of the namespaces
}

// NewNetwork makes a network of n hosts, which lasts until the test ends. It
// needs root.
func NewNetwork(tb testing.TB, n int) *Network {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("network namespaces need root: run this as root")
	}
	removeStale(tb)
	prefix := ownName() + "-"
	subnet := fmt.Sprintf("10.213.%d.", os.Getpid()%256)
	lan := prefix + "lan"
	addNamespace(tb, lan)
	ip(tb, "-n", lan, "link", "add", "bridge", "type", "bridge")
	ip(tb, "-n", lan, "link", "set", "bridge", "up")
	own := fmt.Sprintf("dyad%d", os.Getpid()) // it goes with the namespace of its other end
	ip(tb, "link", "add", own, "type", "veth", "peer", "name", "test", "netns", lan)
	ip(tb, "-n", lan, "link", "set", "test", "master", "bridge", "up")
	ip(tb, "addr", "add", subnet+"254/24", "dev", own)
	ip(tb, "link", "set", own, "up")
	net := &Network{}
	for i := range n {
		name, address, port := prefix+strconv.Itoa(i), subnet+strconv.Itoa(i+1), fmt.Sprint("port", i)
		addNamespace(tb, name)
		ip(tb, "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", lan)
		ip(tb, "-n", lan, "link", "set", port, "master", "bridge", "up")
		ip(tb, "-n", name, "addr", "add", address+"/24", "dev", "eth0")
		ip(tb, "-n", name, "link", "set", "eth0", "up")
		ip(tb, "-n", name, "link", "set", "lo", "up")
		net.names = append(net.names, name)
		net.Hosts = append(net.Hosts, latency.Host{IP: address, Command: []string{"ip", "netns", "exec", name}})
	}
	return net
}

// removeStale removes the namespaces that a killed run could not.
func removeStale(tb testing.TB) {
	tb.Helper()
	for line := range strings.Lines(ip(tb, "netns", "list")) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); stale(name) {
			ip(tb, "netns", "delete", name)
		}
	}
}

func addNamespace(tb testing.TB, name string) {
	tb.Helper()
	ip(tb, "netns", "add", name)
	tb.Cleanup(func() {
		if out, err := deleteNamespace(name); err != nil {
			tb.Errorf("remove the namespace %s: %v\n%s", name, err, out)
		}
	})
}

// deleteNamespace is for when the test's own context is over.
func deleteNamespace(name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), toolLimit)
	defer cancel()
	return exec.CommandContext(ctx, "ip", "netns", "delete", name).CombinedOutput()
}

// Directions of a cut, as nft calls them.
var (
	BothWays = []string{"input", "output"}
	Inwards  = []string{"input"}
	Outwards = []string{"output"}
)

// Cut drops every packet that host i gets, or sends, or both, without a word to
// anyone.
func (n *Network) Cut(tb testing.TB, i int, hooks []string) {
	tb.Helper()
	rules := []string{"add table inet cut"}
	for _, hook := range hooks {
		rules = append(rules, fmt.Sprintf("add chain inet cut %s { type filter hook %s priority 0; policy drop; }", hook, hook))
	}
	ip(tb, "netns", "exec", n.names[i], "nft", strings.Join(rules, "; "))
}

// Fate is what becomes of a packet, in nft's words.
type Fate string

const (
	// Dropped without a word.
	Dropped Fate = "drop"
	// Refused, as by a firewall that was put up or lost its state: what is connected
	// is reset. The reset itself has to get through.
	Refused Fate = "tcp flags & rst == 0 reject with tcp reset"
)

// Lost is the fate of packets of which so many in a hundred are dropped.
func Lost(percent int) Fate { return Fate(fmt.Sprintf("numgen random mod 100 <= %d drop", percent-1)) }

// Part has a fate befall what host i gets from the others, or sends to them, or
// both; the rest goes through.
func (n *Network) Part(tb testing.TB, i int, others []int, hooks []string, fate Fate) {
	tb.Helper()
	var addresses []string
	for _, other := range others {
		addresses = append(addresses, n.Hosts[other].IP)
	}
	rules := []string{"add table inet cut"}
	for _, hook := range hooks {
		end := "saddr"
		if hook == "output" {
			end = "daddr"
		}
		rules = append(rules, fmt.Sprintf("add chain inet cut %s { type filter hook %s priority 0; policy accept; }", hook, hook),
			fmt.Sprintf("add rule inet cut %s ip %s { %s } %s", hook, end, strings.Join(addresses, ", "), fate))
	}
	ip(tb, "netns", "exec", n.names[i], "nft", strings.Join(rules, "; "))
}

// Mend ends the cut of host i.
func (n *Network) Mend(tb testing.TB, i int) {
	tb.Helper()
	ip(tb, "netns", "exec", n.names[i], "nft", "delete", "table", "inet", "cut")
}

// ip runs the tool of that name and returns what it prints.
func ip(tb testing.TB, args ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), toolLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	require.NoError(tb, err, "ip %s:\n%s", strings.Join(args, " "), out)
	return string(out)
}
