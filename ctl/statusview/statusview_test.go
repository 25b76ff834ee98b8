package statusview

import (
	"testing"
	"time"

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

// now is when the status was asked for.
var now = time.Unix(1_700_000_000, 0)

func before(d time.Duration) *time.Time {
	at := now.Add(-d)
	return &at
}

func render(nodes ...wire.NodeReport) string {
	s := wire.ClusterStatus{Nodes: nodes}
	s.Judge()
	return Render(s, now)
}

func TestWhole(t *testing.T) {
	busy := up("db-0", 66712, 14_230_000, 3)
	busy.Status.Data.Tombstones, busy.Status.Data.Documents = 1200, 12_345_678
	busy.Status.AntiEntropy = wire.EntropyFindings{Passes: 9, Last: before(3 * time.Second)}
	busy.Status.Scrub = wire.ScrubFindings{Passes: 1, Last: before(26 * time.Hour), Checked: 66712, Damaged: 2, Healed: 2}
	clean := up("db-1", 0, 24, 1)
	clean.Status.AntiEntropy = wire.EntropyFindings{Passes: 9, Last: before(61 * time.Minute), Found: 12}
	clean.Status.Scrub = wire.ScrubFindings{Last: before(62 * time.Second)}
	last := up("db-2", 999, 1000, 12)
	last.Status.Data.Documents = 12_345_678
	last.Status.AntiEntropy.Last = before(-time.Hour)
	require.Equal(t, `NODE  STATE  RECORDS  TOMBSTONES  HINTS  ANTI-ENTROPY         SCRUB                          DISK     INCARNATION  BOOTS
db-0  up     66,712   1,200       none   3s ago, 0 healed     1d2h ago, 2 damaged, 2 healed  14.2 MB  1            3
db-1  up     0        0           none   1h1m ago, 12 healed  1m2s ago, 0 damaged            24 B     1            1
db-2  up     999      0           none   0s ago, 0 healed     never                          1.0 kB   1            12
14.2 MB on all disks for 12.3 MB of documents: 1.15 times
whole
`, render(busy, clean, last))
}

func TestOneDown(t *testing.T) {
	down := wire.NodeReport{ID: "db-1", Error: "Get \"http://127.0.0.1:7101/status\":\n dial tcp 127.0.0.1:7101: connect: connection refused"}
	first := hint(33_300, 1, "db-1")
	first.Bytes, first.Oldest = 4_100_000, before(130*time.Second)
	require.Equal(t, `NODE  STATE                     RECORDS    TOMBSTONES  HINTS            ANTI-ENTROPY  SCRUB  DISK    INCARNATION  BOOTS
db-0  up                        1,000,000  0           33,301 for db-1  never         never  1.0 GB  1            3
db-1  down: connection refused  -          -           -                -             -      -       -            -
db-2  up                        7          0           1 for db-1       never         never  0 B     1            2
db-0 holds 33,301 hints, 4.1 MB, the oldest 2m10s old: to be delivered when db-1 is back
db-2 holds 1 hint, 0 B: to be delivered when db-1 is back
db-0 holds 33301 hints for db-1; db-1 is down: Get "http://127.0.0.1:7101/status": dial tcp 127.0.0.1:7101: connect: connection refused; `+
		`db-2 holds 1 hint for db-1
`, render(up("db-0", 1_000_000, 999_999_999, 3, first), down, up("db-2", 7, 0, 2, hint(0, 1, "db-0", "db-1"))))
}

func TestCatchingUp(t *testing.T) {
	running, about := hint(12, 0, "db-0", "db-2"), hint(5, 0, "db-0", "db-1")
	running.CatchUpSeconds = 75.4
	about.CatchUpSeconds = 0.01
	require.Equal(t, `NODE  STATE  RECORDS  TOMBSTONES  HINTS                ANTI-ENTROPY  SCRUB  DISK  INCARNATION  BOOTS
db-0  up     1        0           1 for db-1 or db-2   never         never  5 B   1            1
db-1  up     1        0           12 for db-0 or db-2  never         never  5 B   1            1
db-2  up     1        0           5 for db-0 or db-1   never         never  5 B   1            1
db-0 holds 1 hint, 0 B: being delivered
db-1 holds 12 hints, 0 B: delivered in about 1m15s
db-2 holds 5 hints, 0 B: delivered in about 1s
db-0 holds 1 hint for db-1 or db-2; db-1 holds 12 hints for db-0 or db-2; db-2 holds 5 hints for db-0 or db-1
`, render(up("db-0", 1, 5, 1, hint(1, 0, "db-1", "db-2")), up("db-1", 1, 5, 1, running), up("db-2", 1, 5, 1, about)))
}

func TestOtherStates(t *testing.T) {
	slow, full, joining := up("db-0", 1, 5, 1), up("db-1", 1, 5, 1, hint(3, 0, "db-2")), up("db-2", 1, 5, 1)
	slow.ReplyMillis = 80.4
	full.Status.ReadOnly, full.Status.FreeBytes = true, 3_000_000
	joining.Status.Joining, joining.Status.Incarnation = true, 2
	joining.Status.Rebuild = &wire.RebuildProgress{Done: 1, Of: 64, Records: 33_301}
	require.Equal(t, `NODE  STATE      RECORDS  TOMBSTONES  HINTS       ANTI-ENTROPY  SCRUB  DISK  INCARNATION  BOOTS
db-0  slow       1        0           none        never         never  5 B   1            1
db-1  read-only  1        0           3 for db-2  never         never  5 B   1            1
db-2  joining    1        0           none        never         never  5 B   2            1
db-0 is slow: its reply typically takes 80 ms
db-1 holds 3 hints, 0 B: to be delivered when db-2 is rebuilt
db-2 has rebuilt 1 of 64 partitions, 33,301 records copied
db-1 is read-only: its disk is nearly full (3.0 MB free); db-1 holds 3 hints for db-2; db-2 is being rebuilt: 1 of 64 partitions
`, render(slow, full, joining))
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1499 * time.Millisecond: "1s", 59 * time.Second: "59s", 60 * time.Second: "1m0s",
		time.Hour: "1h0m", 24*time.Hour - time.Second: "23h59m", 50 * time.Hour: "2d2h",
	} {
		require.Equal(t, want, duration(d))
	}
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
