package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/proc"
	"github.com/dyad-db/dyad/tests/restclient"
)

// processes is a cluster of real programs over RocksDB.
type processes struct {
	bin, dir, nodes string
	urls            []string // of the nodes
	node            []*proc.Process
	gateway         *proc.Process
	url             string // of the gateway
}

// TestPrograms runs the programs themselves, built once.
func TestPrograms(t *testing.T) {
	const module = "github.com/dyad-db/dyad"
	bin := proc.Build(t, "-tags", "nomsgpack", module+"/gateway/cmd/gateway", module+"/dbnode/cmd/dbnode")
	t.Run("killed, they keep what was acknowledged", func(t *testing.T) {
		p := startProcesses(t, bin)
		testCrashes(t, p, 2, p.killNodes, func() {})
	})
	t.Run("when the power is cut, they keep what was acknowledged", func(t *testing.T) { testPowerCuts(t, bin) })
	t.Run("a failed sync ends the node", func(t *testing.T) {
		for range size(t, "DYAD_NODE_ERRORS", 1) {
			nth := 1 + rand.IntN(12) // 400 writes make that many in some thread
			t.Run(strconv.Itoa(nth), func(t *testing.T) { testFailedSync(t, startProcesses(t, bin), nth) })
		}
	})
	t.Run("no sync, no acknowledgement", func(t *testing.T) { testNoSync(t, startProcesses(t, bin)) })
	t.Run("killed and corrupted, they are rebuilt", func(t *testing.T) { testCorrupted(t, startProcesses(t, bin)) })
	t.Run("wrong starts are refused", func(t *testing.T) { testWrongStarts(t, startProcesses(t, bin)) })
	t.Run("health check", func(t *testing.T) { testHealthCheck(t, startProcesses(t, bin)) })
}

func startProcesses(t *testing.T, bin string) *processes {
	t.Helper()
	p := &processes{bin: bin, dir: t.TempDir()}
	p.start(t)
	return p
}

// start starts all programs; the directories of their data may be there already.
func (p *processes) start(t *testing.T) {
	t.Helper()
	addresses := proc.FreeAddresses(t, placement.Nodes+1)
	for i, address := range addresses[:placement.Nodes] {
		p.urls = append(p.urls, "http://"+address)
		p.nodes += fmt.Sprintf("db-%d=http://%s,", i, address)
	}
	p.nodes = p.nodes[:len(p.nodes)-1]
	for i, address := range addresses[:placement.Nodes] {
		p.node = append(p.node, proc.Start(t, p.dir, fmt.Sprint("db-", i), filepath.Join(p.bin, "dbnode"), p.flags(i, address)...))
	}
	p.url = "http://" + addresses[placement.Nodes]
	p.gateway = proc.Start(t, p.dir, "gateway", filepath.Join(p.bin, "gateway"),
		"--listen", addresses[placement.Nodes], "--nodes", p.nodes)
	p.awaitReady()
}

func (p *processes) flags(i int, address string) []string {
	return []string{"--id", fmt.Sprint("db-", i), "--listen", address, "--nodes", p.nodes, "--data", p.dataDir(i)}
}

func (p *processes) dataDir(i int) string { return filepath.Join(p.dir, fmt.Sprint("db-", i)) }

func (p *processes) awaitReady() {
	for i, node := range p.node {
		node.WaitOK(p.urls[i] + "/readyz")
	}
	p.gateway.WaitOK(p.url + "/readyz")
}

func (p *processes) killNodes() {
	for _, node := range p.node {
		node.Kill()
	}
}

// testCrashes lets all nodes crash, with no warning, in the middle of writing, and
// starts them again when that is mended; what was acknowledged is there
// afterwards, each on its two nodes.
func testCrashes(t *testing.T, p *processes, rounds int, crash, mend func()) {
	const perRound = 600
	var mu sync.Mutex
	acknowledged := map[string]restclient.User{}
	client := restclient.New(patience, p.url)
	defer client.Close()
	for round := range rounds {
		begun := make(chan struct{})
		var crashing sync.WaitGroup
		crashing.Go(func() {
			<-begun
			crash()
		})
		share(perRound, many(clients, client), func(i int, client *restclient.Client) {
			if i == perRound/2 {
				close(begun)
			}
			u := restclient.User{ID: fmt.Sprintf("u-%d-%d", round, i), Name: "N", Email: "n@example.com", Group: i}
			if r := client.Create(t.Context(), u); r.Outcome == restclient.OK {
				mu.Lock()
				defer mu.Unlock()
				acknowledged[u.ID] = u
			}
		})
		crashing.Wait()
		mend()
		for _, node := range p.node {
			node.Start()
		}
		p.awaitReady()
	}
	require.NotEmpty(t, acknowledged)
	var ids []string
	for round := range rounds {
		for i := range perRound {
			id := fmt.Sprintf("u-%d-%d", round, i)
			r := p.settle(t, client, id) // this brings together what an interrupted change left apart
			if u, ok := acknowledged[id]; ok {
				require.Equal(t, &u, r.User, r)
			}
			if r.User != nil {
				ids = append(ids, id)
			}
		}
	}
	t.Logf("%d crashes, %d of %d acknowledged, %d there", rounds, len(acknowledged), rounds*perRound, len(ids))
	auditAtRest(t, p.url, p.urls, ids)
}

// settle reads an id, again if no quorum answers yet.
func (p *processes) settle(t *testing.T, client *restclient.Client, id string) restclient.Result {
	t.Helper()
	var r restclient.Result
	await(t, id+" is answered", func() (bool, any) {
		r = client.Get(t.Context(), id)
		return r.Outcome == restclient.OK || r.Outcome == restclient.NotFound, r
	})
	return r
}

// testWrongStarts: each is refused with words that say what to do, and with a
// status of its own for a wrong command line.
func testWrongStarts(t *testing.T, p *processes) {
	address := proc.FreeAddresses(t, 1)[0]
	own, other := filepath.Join(p.dir, "db-0"), filepath.Join(p.dir, "db-1")
	nodes := []string{"--listen", address, "--nodes", p.nodes}
	for _, c := range []struct {
		name    string
		program string
		args    []string
		env     string
		status  int
		says    string
	}{
		{"a second opener", "dbnode", append(nodes, "--id", "db-0", "--data", own), "", 1, "in use by another process"},
		{"no data directory", "dbnode", append(nodes, "--id", "db-0"), "", 2, "--data is needed"},
		{"an unknown id", "dbnode", append(nodes, "--id", "db-9", "--engine", "memory"), "", 1, "not among the cluster's nodes"},
		{"an unknown engine", "dbnode", append(nodes, "--id", "db-0", "--engine", "paper"), "", 2, "want rocksdb or memory"},
		{"too few nodes", "dbnode", []string{"--id", "db-0", "--engine", "memory", "--nodes", "db-0=http://a:1"}, "", 2, "1 nodes given"},
		{"a word too many", "gateway", []string{"start"}, "", 2, `"start" is not a flag`},
		{"no nodes", "gateway", nil, "", 2, "no nodes given"},
		{"a bad environment", "gateway", []string{"--nodes", p.nodes}, "DYAD_PARTITIONS=many", 2, "DYAD_PARTITIONS"},
		{"no partitions", "gateway", []string{"--nodes", p.nodes, "--partitions", "0"}, "", 2, "partitions must be 1 to"},
		{"an address in use", "gateway", []string{"--nodes", p.nodes, "--listen", p.url[len("http://"):]}, "", 1, "address already in use"},
	} {
		status, out := p.run(t, c.program, c.env, c.args...)
		require.Equal(t, c.status, status, "%s: %s", c.name, out)
		require.Contains(t, out, c.says, c.name)
	}

	p.node[0].Stop()
	p.node[1].Stop()
	status, out := p.run(t, "dbnode", "", append(nodes, "--id", "db-0", "--data", other)...)
	require.Equal(t, 1, status, out)
	require.Contains(t, out, `belongs to node \"db-1\", not \"db-0\"`)
	status, out = p.run(t, "dbnode", "", append(nodes, "--id", "db-0", "--data", own, "--partitions", "128")...)
	require.Equal(t, 1, status, out)
	require.Contains(t, out, "made with 64 partitions, not 128")
	p.node[0].Start()
	p.node[0].WaitOK(p.urls[0] + "/readyz") // and the refused starts did no harm
}

func testHealthCheck(t *testing.T, p *processes) {
	check := func(program, url string) int {
		status, _ := p.run(t, program, "DYAD_LISTEN="+url[len("http://"):], "--healthcheck")
		return status
	}
	require.Zero(t, check("dbnode", p.urls[0]))
	require.Zero(t, check("gateway", p.url))
	p.node[0].Kill()
	require.Equal(t, 1, check("dbnode", p.urls[0]))
	require.Zero(t, check("gateway", p.url), "two nodes are enough")
	p.node[1].Kill()
	require.Equal(t, 1, check("gateway", p.url))
	status, _ := ask(t, http.MethodGet, p.url+"/livez")
	require.Equal(t, http.StatusOK, status, "it lives all the same")
}

// run runs a program that ends by itself.
func (p *processes) run(t *testing.T, program, env string, args ...string) (status int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Env = []string{env}
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &exit), "%v", err)
		return exit.ExitCode(), string(text)
	}
	return 0, string(text)
}
