package drills

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/latency"
)

const (
	maxBytes    = 2.0              // bytes on all disks, compacted, for each byte of the users' JSON
	enoughUsers = 5000             // below, what a store needs for itself outweighs the users
	maxSlowdown = 2.0              // of the p99 while a node catches up, against before
	baseline    = 15 * time.Second // before; in less, the p99 hangs on a dozen requests
)

// drillCatchUp: a node is away while many users are created and a quarter as
// many deleted.
func drillCatchUp(t *testing.T, s sizes) {
	users := s.users(200_000)
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(users))
	doomed := l.Create(users / 4)
	l.Enter("healthy") // with the load alone again: what the catching up is measured against
	l.Wait(baseline)
	outage := l.Suffer(latency.Fault{
		Victim: c.Name(1), What: "killed", Away: time.Second,
		Do: func() {
			c.Programs[1].Kill()
			l.Create(users)
			l.Delete(doomed)
		},
		Undo: c.Programs[1].Start,
	})
	o := conclude(t, l, c.Nodes())
	t.Logf("%d creates and %d deletes missed; caught up %.1f s after its start", users, users/4, outage.ToWhole.Seconds())

	before, during := rowOf(t, o, "healthy"), rowOf(t, o, c.Name(1)+" returning")
	assert.LessOrEqual(t, during.P99, time.Duration(maxSlowdown*float64(before.P99)), "p99 while it catches up, against before")
	ratio := bytesPerByte(t, l, c)
	t.Logf("%.2f bytes on disk for each byte of JSON, compacted", ratio)
	if users >= enoughUsers {
		assert.LessOrEqual(t, ratio, maxBytes)
	}
}

func rowOf(t *testing.T, o latency.Outcome, phase string) latency.Row {
	t.Helper()
	for _, row := range o.Rows {
		if row.Phase == phase {
			return row
		}
	}
	t.Fatalf("there was no phase %q", phase)
	return latency.Row{}
}

// bytesPerByte compacts the nodes and compares their disks with the users' JSON.
func bytesPerByte(t *testing.T, l *latency.Load, c *latency.Cluster) float64 {
	t.Helper()
	compact(t, c.Nodes()...)
	size := 0
	for _, u := range l.Users() {
		document, err := json.Marshal(u)
		require.NoError(t, err)
		size += len(document)
	}
	status, err := latency.ReadStatus(t.Context(), c.Gateways()[0])
	require.NoError(t, err)
	return float64(status.Disk) / float64(size)
}
