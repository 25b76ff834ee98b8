package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/wire"
)

// db1 returns a cluster in which db-1 is changed; the others know it on that disk.
func db1(known uint32, change func(*wire.NodeReport)) wire.ClusterStatus {
	s := cluster()
	for i := range s.Nodes {
		s.Nodes[i].Status.Incarnations = map[string]uint32{"db-0": 1, "db-1": known, "db-2": 1}
	}
	change(&s.Nodes[1])
	s.Judge()
	return s
}

func onDisk(incarnation uint32, boots uint64) func(*wire.NodeReport) {
	return func(n *wire.NodeReport) { n.Status.Incarnation, n.Status.Boots = incarnation, boots }
}

func away(n *wire.NodeReport) {
	n.Up, n.Status, n.Error, n.URL = false, nil, "refused", "http://db-1:7101"
}

func rebuilding(done int) func(*wire.NodeReport) {
	return func(n *wire.NodeReport) {
		onDisk(3, 1)(n)
		n.Status.Joining, n.Status.Rebuild = true, &wire.RebuildProgress{Done: done, Of: 64, Records: 500}
	}
}

func blank(n *wire.NodeReport) {
	onDisk(0, 0)(n)
	n.Status.Serving = false
}

func TestWhatCanBeReplaced(t *testing.T) {
	lame := db1(2, away)
	lame.Nodes[0].Status.Joining = true
	lame.Judge()
	for name, c := range map[string]struct {
		status wire.ClusterStatus
		old    uint32
		says   string // of the error; empty for none
		code   int
	}{
		"it is away":                 {db1(2, away), 2, "", 0},
		"it has just started, blank": {db1(2, blank), 2, "", 0},
		"it is being rebuilt":        {db1(3, rebuilding(5)), 2, "", 0},
		"it was rebuilt":             {db1(3, onDisk(3, 1)), 2, "", 0},
		"it runs as ever":            {db1(3, onDisk(3, 2)), 0, "db-1 still serves from the disk that it had (incarnation 3)", 1},
		"its first disk":             {db1(1, onDisk(1, 1)), 0, "still serves", 1},
		"another is down":            {cluster("db-1", "db-2"), 0, "takes both other nodes: db-2 is down", 1},
		"another is being rebuilt":   {lame, 0, "takes both other nodes: db-0 is being rebuilt", 1},
	} {
		r, err := newReplacement(c.status, "db-1")
		if c.says == "" {
			require.NoError(t, err, name)
			require.Equal(t, replacement{"db-1", c.old}, r, name)
			continue
		}
		require.ErrorContains(t, err, c.says, name)
		exit, ok := errors.AsType[exitError](err)
		require.True(t, ok, name)
		require.Equal(t, c.code, exit.code, name)
	}
	_, err := newReplacement(cluster(), "db-9")
	require.ErrorContains(t, err, "is no node of this cluster")
}

func TestHowFarAReplacementIs(t *testing.T) {
	r := replacement{"db-1", 2}
	hinted := db1(3, onDisk(3, 1))
	hinted.Nodes[0].Status.Hints = []wire.HintHolding{{For: []string{"db-1"}, Holding: wire.Holding{Records: 7}}}
	hinted.Judge()
	for _, c := range []struct {
		status wire.ClusterStatus
		text   string
		done   bool
	}{
		{db1(2, away), "waiting for db-1: start the new machine so that it answers at http://db-1:7101", false},
		{db1(2, blank), "db-1 has started and waits for the others", false},
		{db1(3, rebuilding(5)), "db-1 is being rebuilt: 5 of 64 partitions, 500 records copied", false},
		{hinted, "db-1 is rebuilt; still missing: db-0 holds 7 hints for db-1", false},
		{db1(3, onDisk(3, 1)), "db-1 is rebuilt on a new disk (incarnation 3), and the cluster is whole: it holds 1234 records", true},
	} {
		text, done, err := r.look(c.status)
		require.NoError(t, err)
		require.Equal(t, c.text, text)
		require.Equal(t, c.done, done)
	}
	_, _, err := r.look(db1(2, onDisk(2, 9)))
	require.ErrorContains(t, err, "db-1 came back on the disk that it had (incarnation 2)")
}

// told collects what is said, and wakes whoever awaits something of it.
type told struct {
	mu    sync.Mutex
	texts []string
	more  chan struct{}
}

func (s *told) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// TestReplaceInARealCluster gives db-1 a blank disk while the command watches,
// and then its old disk.
func TestReplaceInARealCluster(t *testing.T) {
	c, err := local.Start(local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for i := range 200 {
		create(t, c.Gateway(0), fmt.Sprintf("user-%d", i))
	}
	r := dyad(t, "node", "replace", "db-1", "--gateway", c.Gateway(0))
	require.Equal(t, 1, r.code, "it runs: %v", r)
	require.Contains(t, r.stderr, "still serves from the disk that it had (incarnation 1)")

	replace := func(s *told) (out string, err error) {
		var text strings.Builder
		err = replaceNode(t.Context(), c.Gateway(0), "db-1", patience, &text, s.say)
		return text.String(), err
	}
	watch := func() (out string, err error) {
		s := &told{more: make(chan struct{}, 1)}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			out, err = replace(s)
		}()
		<-s.more // it waits for the node
		if err := c.Restart(1); err != nil {
			return "", err
		}
		<-ended
		require.Contains(t, s.texts[0], "waiting for db-1: start the new machine so that it answers at "+c.Node(1))
		return out, err
	}
	require.NoError(t, c.Stop(1))
	require.NoError(t, c.Wipe(1))
	out, err := watch()
	require.NoError(t, err)
	require.Regexp(t, `(?m)^db-1 is rebuilt on a new disk \(incarnation 2\), and the cluster is whole: it holds \d+ records$`, out)
	r = dyad(t, "node", "replace", "db-1", "--gateway", c.Gateway(0))
	require.Zero(t, r.code, "done is done: %v", r)

	require.NoError(t, c.Stop(1))
	_, err = watch()
	require.ErrorContains(t, err, "came back on the disk that it had (incarnation 2)")
	require.NoError(t, c.Stop(1))

	r = dyad(t, "node", "replace", "db-1", "--gateway", c.Gateway(0), "--timeout", "10ms")
	require.Equal(t, 1, r.code)
	r = dyad(t, "node", "replace", "db-0", "--gateway", c.Gateway(0))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "db-0 can't be rebuilt now, which takes both other nodes: db-1 is down")
}

func TestReplaceCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"node", "replace"}, "accepts 1 arg(s)"},
		{[]string{"node", "replace", "db-1", "--timeout", "0s"}, "--timeout must be positive"},
		{[]string{"node", "replace", "db-1", "--gateway", "http://127.0.0.1:1"}, "can't be asked"},
		{[]string{"node", "replace", "db-9", "--gateway", answering(t, http.StatusOK, cluster())}, "is no node of this cluster"},
	} {
		r := dyad(t, c.args...)
		require.Equal(t, 2, r.code, c.args)
		require.Contains(t, r.stderr, c.says)
	}
}
