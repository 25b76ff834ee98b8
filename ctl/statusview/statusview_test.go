package statusview

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/wire"
)

func up(id string, records, disk int64, boots uint64, hints ...wire.HintHolding) wire.NodeReport {
	return wire.NodeReport{ID: id, Up: true, Status: &wire.NodeStatus{
		ID: id, Life: wire.Life{Incarnation: 1, Boots: boots}, Serving: true, DiskBytes: disk, Hints: hints, Data: wire.Holding{Records: records},
	}}
}

func hint(records, tombstones int64, nodes ...string) wire.HintHolding {
	return wire.HintHolding{For: nodes, Holding: wire.Holding{Records: records, Tombstones: tombstones}}
}

func render(nodes ...wire.NodeReport) string {
	s := wire.ClusterStatus{Nodes: nodes}
	s.Judge()
	return Render(s)
}

func TestWhole(t *testing.T) {
	require.Equal(t, `NODE  STATE  RECORDS  HINTS  DISK     BOOTS
db-0  up     66,712   none   14.2 MB  3
db-1  up     0        none   24 B     1
db-2  up     999      none   1.0 kB   12
whole
`, render(up("db-0", 66712, 14_230_000, 3), up("db-1", 0, 24, 1), up("db-2", 999, 1000, 12)))
}

func TestOneDown(t *testing.T) {
	down := wire.NodeReport{ID: "db-1", Error: "Get \"http://127.0.0.1:7101/status\":\n dial tcp 127.0.0.1:7101: connect: connection refused"}
	require.Equal(t, `NODE  STATE                     RECORDS    HINTS                           DISK    BOOTS
db-0  up                        1,000,000  33,301 for db-1                 1.0 GB  3
db-1  down: connection refused  -          -                               -       -
db-2  up                        7          5 for db-0 or db-1, 1 for db-1  0 B     2
db-0 holds 33301 hints for db-1; db-1 is down: Get "http://127.0.0.1:7101/status": dial tcp 127.0.0.1:7101: connect: connection refused; `+
		`db-2 holds 5 hints for db-0 or db-1; db-2 holds 1 hints for db-1
`, render(up("db-0", 1_000_000, 999_999_999, 3, hint(33_300, 1, "db-1")), down,
		up("db-2", 7, 0, 2, hint(5, 0, "db-0", "db-1"), hint(0, 1, "db-1"))))
}

func TestHintsAlone(t *testing.T) {
	require.Equal(t, `NODE  STATE  RECORDS  HINTS        DISK  BOOTS
db-0  up     1        12 for db-2  5 B   1
db-0 holds 12 hints for db-2
`, render(up("db-0", 1, 5, 1, hint(12, 0, "db-2"))))
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 9: "9", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567",
	} {
		require.Equal(t, want, count(n))
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		12_345_678: "12.3 MB", 1_500_000_000: "1.5 GB", 2_000_000_000_000_000: "2000.0 TB",
	} {
		require.Equal(t, want, size(n))
	}
}
