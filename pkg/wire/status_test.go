package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/wire"
)

func up(id string, hints ...wire.HintHolding) wire.NodeReport {
	return wire.NodeReport{ID: id, Up: true, Status: &wire.NodeStatus{ID: id, Serving: true, Hints: hints}}
}

func hintFor(records, tombstones int64, ids ...string) wire.HintHolding {
	return wire.HintHolding{For: ids, Holding: wire.Holding{Records: records, Tombstones: tombstones}}
}

func TestWholeOnlyWithAllNodesUpAndNoHint(t *testing.T) {
	for _, c := range []struct {
		name    string
		nodes   []wire.NodeReport
		missing []string
	}{
		{"all well", []wire.NodeReport{up("db-0"), up("db-1"), up("db-2")}, nil},
		{"an empty holding", []wire.NodeReport{up("db-0", hintFor(0, 0, "db-1"))}, nil},
		{
			"one down",
			[]wire.NodeReport{up("db-0"), {ID: "db-1", Error: "connection refused"}},
			[]string{"db-1 is down: connection refused"},
		},
		{
			"being rebuilt",
			[]wire.NodeReport{{ID: "db-1", Up: true, Status: &wire.NodeStatus{Serving: true, Life: wire.Life{Joining: true}}}},
			[]string{"db-1 is being rebuilt"},
		},
		{
			"not serving yet",
			[]wire.NodeReport{{ID: "db-1", Up: true, Status: &wire.NodeStatus{}}},
			[]string{"db-1 waits for another node before it serves"},
		},
		{
			"read-only",
			[]wire.NodeReport{{ID: "db-1", Up: true, Status: &wire.NodeStatus{Serving: true, ReadOnly: true, FreeBytes: 12_345_678}}},
			[]string{"db-1 is read-only: its disk is nearly full (12.3 MB free)"},
		},
		{"up without a status", []wire.NodeReport{{ID: "db-1", Up: true}}, []string{"db-1 is down: "}},
		{
			"hints",
			[]wire.NodeReport{up("db-0", hintFor(2, 1, "db-1"), hintFor(0, 1, "db-1", "db-2"))},
			[]string{"db-0 holds 3 hints for db-1", "db-0 holds 1 hint for db-1 or db-2"},
		},
	} {
		s := wire.ClusterStatus{Nodes: c.nodes, Whole: true, Missing: []string{"left from before"}}
		s.Judge()
		require.Equal(t, len(c.missing) == 0, s.Whole, c.name)
		require.ElementsMatch(t, c.missing, s.Missing, c.name)
		require.NotNil(t, s.Missing, "an empty list, not null, in JSON")
	}
}

func TestHintCountTakesInTombstones(t *testing.T) {
	s := wire.NodeStatus{Hints: []wire.HintHolding{hintFor(2, 1, "db-1"), hintFor(3, 0, "db-2")}}
	require.EqualValues(t, 6, s.HintCount())
}
