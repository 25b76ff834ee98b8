package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/wire"
)

// with returns a node that is up, changed.
func with(id string, change func(*wire.NodeReport)) wire.NodeReport {
	n := up(id)
	change(&n)
	return n
}

func down(id string) wire.NodeReport { return wire.NodeReport{ID: id, Error: "connection refused"} }

func joining(id string) wire.NodeReport {
	return with(id, func(n *wire.NodeReport) {
		n.Status.Joining, n.Status.Rebuild = true, &wire.RebuildProgress{Done: 12, Of: 64}
	})
}

func waiting(id string) wire.NodeReport {
	return with(id, func(n *wire.NodeReport) { n.Status.Serving = false })
}

func readOnly(id string) wire.NodeReport {
	return with(id, func(n *wire.NodeReport) { n.Status.ReadOnly = true })
}

func slow(id string) wire.NodeReport {
	return with(id, func(n *wire.NodeReport) { n.ReplyMillis = 50.1 })
}

func TestStates(t *testing.T) {
	blank := joining("n")
	blank.Status.Serving = false
	full := joining("n")
	full.Status.ReadOnly, full.ReplyMillis = true, 80
	late := slow("n")
	late.Status.ReadOnly = true
	for _, c := range []struct {
		node    wire.NodeReport
		state   wire.NodeState
		missing []string
	}{
		{up("n"), wire.StateUp, []string{}},
		{with("n", func(n *wire.NodeReport) { n.ReplyMillis = 50 }), wire.StateUp, []string{}},
		{slow("n"), wire.StateSlow, []string{}},
		{down("n"), wire.StateDown, []string{"n is down: connection refused"}},
		{joining("n"), wire.StateJoining, []string{"n is being rebuilt: 12 of 64 partitions"}},
		{blank, wire.StateJoining, []string{"n is being rebuilt: 12 of 64 partitions"}},
		{full, wire.StateJoining, []string{"n is being rebuilt: 12 of 64 partitions"}},
		{waiting("n"), wire.StateWaiting, []string{"n waits for another node before it serves"}},
		{readOnly("n"), wire.StateReadOnly, []string{"n is read-only: its disk is nearly full (0.0 MB free)"}},
		{late, wire.StateReadOnly, []string{"n is read-only: its disk is nearly full (0.0 MB free)"}},
		{
			with("n", func(n *wire.NodeReport) { n.Status.Scrub.Damaged, n.Status.Scrub.Healed = 5, 4 }), wire.StateUp,
			[]string{"n holds 1 damaged record, to be replaced from the other nodes"},
		},
	} {
		s := wire.ClusterStatus{Nodes: []wire.NodeReport{c.node}}
		s.Judge()
		require.Equal(t, c.state, s.Nodes[0].State)
		require.Equal(t, c.missing, s.Missing)
	}
}

// TestHintsAreForTheAbsentOne: the gateway knows which of two nodes is absent, if
// the one that holds their hints doesn't yet.
func TestHintsAreForTheAbsentOne(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	either := hintFor(2, 1, "db-1", "db-2")
	either.Oldest, either.CatchUpSeconds = &early, 3
	sure := hintFor(1, 0, "db-1")
	sure.Oldest = &late
	for name, c := range map[string]struct {
		others []wire.NodeReport
		want   []string
	}{
		"one is down":        {[]wire.NodeReport{down("db-1"), up("db-2")}, []string{"db-0 holds 4 hints for db-1"}},
		"one is joining":     {[]wire.NodeReport{joining("db-1"), up("db-2")}, []string{"db-0 holds 4 hints for db-1"}},
		"the other one":      {[]wire.NodeReport{up("db-1"), waiting("db-2")}, []string{"db-0 holds 3 hints for db-2", "db-0 holds 1 hint for db-1"}},
		"both are":           {[]wire.NodeReport{down("db-1"), down("db-2")}, []string{"db-0 holds 3 hints for db-1 or db-2", "db-0 holds 1 hint for db-1"}},
		"neither, if slowly": {[]wire.NodeReport{slow("db-1"), up("db-2")}, []string{"db-0 holds 3 hints for db-1 or db-2", "db-0 holds 1 hint for db-1"}},
	} {
		s := wire.ClusterStatus{Nodes: append([]wire.NodeReport{up("db-0", either, sure)}, c.others...)}
		s.Judge()
		require.Subset(t, s.Missing, c.want, name)
		if name == "one is down" {
			require.Len(t, s.Nodes[0].Status.Hints, 1)
			require.Equal(t, &early, s.Nodes[0].Status.Hints[0].Oldest)
			require.Zero(t, s.Nodes[0].Status.Hints[0].CatchUpSeconds, "nothing is delivered to one that is away")
		}
	}
}

func TestBytesAgainstDocuments(t *testing.T) {
	held := func(id string, disk, documents int64) wire.NodeReport {
		return with(id, func(n *wire.NodeReport) { n.Status.DiskBytes, n.Status.Data.Documents = disk, documents })
	}
	s := wire.ClusterStatus{Nodes: []wire.NodeReport{held("db-0", 70, 40), held("db-1", 30, 30), held("db-2", 50, 50)}}
	s.Judge()
	require.EqualValues(t, 150, s.DiskBytes)
	require.EqualValues(t, 60, s.DocumentBytes, "each is on two nodes, and counted once")
	s.Nodes[1] = down("db-1")
	s.Judge()
	require.EqualValues(t, 120, s.DiskBytes)
	require.Zero(t, s.DocumentBytes, "some may be on the node that is down alone")
}

func TestCanStop(t *testing.T) {
	for name, c := range map[string]struct {
		nodes   []wire.NodeReport
		reasons []string
	}{
		"whole":                          {[]wire.NodeReport{up("db-0"), up("db-1"), up("db-2")}, nil},
		"another is slow":                {[]wire.NodeReport{slow("db-0"), up("db-1"), up("db-2")}, nil},
		"it is down itself":              {[]wire.NodeReport{up("db-0"), down("db-1"), up("db-2", hintFor(5, 0, "db-1"))}, nil},
		"it is joining itself":           {[]wire.NodeReport{up("db-0"), joining("db-1"), up("db-2")}, nil},
		"it is read-only itself":         {[]wire.NodeReport{up("db-0"), readOnly("db-1"), up("db-2")}, nil},
		"it lacks what others hold":      {[]wire.NodeReport{up("db-0", hintFor(5, 0, "db-1")), up("db-1"), up("db-2", hintFor(0, 2, "db-1"))}, nil},
		"another is down":                {[]wire.NodeReport{down("db-0"), up("db-1"), up("db-2")}, []string{"db-0 is down: connection refused"}},
		"another is joining":             {[]wire.NodeReport{joining("db-0"), up("db-1"), up("db-2")}, []string{"db-0 is being rebuilt: 12 of 64 partitions"}},
		"another waits":                  {[]wire.NodeReport{up("db-0"), up("db-1"), waiting("db-2")}, []string{"db-2 waits for another node before it serves"}},
		"another is read-only":           {[]wire.NodeReport{up("db-0"), up("db-1"), readOnly("db-2")}, []string{"db-2 is read-only: its disk is nearly full (0.0 MB free)"}},
		"it holds what another lacks":    {[]wire.NodeReport{up("db-0"), up("db-1", hintFor(1, 0, "db-0")), up("db-2")}, []string{"db-1 holds 1 hint for db-0"}},
		"another may lack what it has":   {[]wire.NodeReport{up("db-0"), up("db-1"), up("db-2", hintFor(1, 1, "db-0"))}, []string{"db-2 holds 2 hints for db-0"}},
		"it is not known who lacks what": {[]wire.NodeReport{up("db-0", hintFor(2, 0, "db-1", "db-2")), up("db-1"), up("db-2")}, []string{"db-0 holds 2 hints for db-1 or db-2"}},
	} {
		s := wire.ClusterStatus{Nodes: c.nodes}
		s.Judge()
		reasons, err := s.CanStop("db-1")
		require.NoError(t, err, name)
		require.Equal(t, c.reasons, reasons, name)
	}
	s := wire.ClusterStatus{Nodes: []wire.NodeReport{up("db-0"), up("db-1")}}
	_, err := s.CanStop("db-7")
	require.EqualError(t, err, `"db-7" is no node of this cluster, which has db-0, db-1`)
}

func TestReadyText(t *testing.T) {
	well, noted := wire.Check{Name: "running"}, wire.Check{Name: "nodes", Note: "db-0; db-2"}
	bad, worse := wire.Check{Name: "admitted", Problem: "waiting for db-2"}, wire.Check{Name: "store", Problem: "failed"}
	for _, c := range []struct {
		checks  []wire.Check
		verbose bool
		text    string
		ready   bool
	}{
		{nil, false, "ready", true},
		{[]wire.Check{well, noted}, false, "ready", true},
		{[]wire.Check{well, noted}, true, "[+] running ok\n[+] nodes ok: db-0; db-2\nready", true},
		{[]wire.Check{well, bad, worse}, false, "not ready: waiting for db-2; failed", false},
		{[]wire.Check{bad, well, worse}, true, "[-] admitted: waiting for db-2\n[+] running ok\n[-] store: failed\nnot ready", false},
	} {
		text, ready := wire.ReadyText(c.checks, c.verbose)
		require.Equal(t, c.text, text)
		require.Equal(t, c.ready, ready)
	}
}
