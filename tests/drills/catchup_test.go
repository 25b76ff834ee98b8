package drills

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/latency"
)

const (
	maxBytes    = 2.0  // bytes on all disks, compacted, for each byte of the users' JSON
	enoughUsers = 5000 // below, what a store needs for itself outweighs the users
	maxSlowdown = 2.0  // of the p99 while a node catches up, against before
)

// drillCatchUp: a node is away while many users are created and a quarter as
// many deleted.
func drillCatchUp(t *testing.T, s sizes) {
	users := s.users(200_000)
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(users))
	doomed := l.Create(users / 4)
	l.Enter("healthy") // with the load alone again: what the catching up is measured against
	l.Wait(calm)
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

// drillDivergence: one record among many is lost at one data replica, as no rule
// of the protocol foresees; nobody reads it, and anti-entropy finds it. It is
// taken out of the store of a node that is stopped, below all that the node
// knows.
func drillDivergence(t *testing.T, s sizes) {
	const victim = 1
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(0))
	users := l.Create(s.users(20_000))
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(t, err)
	for i, u := range users {
		if places.Seat(places.Partition(u.ID), victim) != register.SeatW {
			users[0], users[i] = u, users[0]
			break
		}
	}
	id := users[0].ID

	l.AwaitWhole()
	l.Enter("db-1 down, losing a record")
	c.Programs[victim].Stop()
	loseRecord(t, c.DataDir(victim), uint16(places.Partition(id)), id)
	c.Programs[victim].Start()
	c.AwaitReady(victim)
	l.Enter("until it is found")
	start := time.Now()
	for !holds(t, c.URLs[victim], uint16(places.Partition(id)), id) {
		require.Less(t, time.Since(start), wholeBound, "the record that was lost at one node is not found")
		l.Wait(pollEvery)
	}
	t.Logf("one of %d records, lost at one replica, was back %.1f s after the node's start, unread", len(users), time.Since(start).Seconds())
	l.Enter("after")
	l.Wait(calm)
	conclude(t, l, c.Nodes())
}

// loseRecord takes a record out of a store that nobody has open.
func loseRecord(t *testing.T, dataDir string, partition uint16, id string) {
	t.Helper()
	st, err := rocks.Open(dataDir + "/store")
	require.NoError(t, err)
	key := append([]byte{'r', byte(partition >> 8), byte(partition)}, id...)
	value, err := st.Get(key)
	require.NoError(t, err)
	require.NotNil(t, value, "the record must be there to be lost")
	written := make(chan error, 1)
	st.Write([]store.Op{{Key: key, Delete: true}}, func(err error) { written <- err })
	require.NoError(t, <-written)
	require.NoError(t, st.Close())
}

// holds asks a node whether it holds a record.
func holds(t *testing.T, node string, partition uint16, id string) bool {
	t.Helper()
	q := wire.RecordsQuery{Partition: partition, Limit: wire.MaxRecordLines}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, node+wire.PathRecords+"?"+q.Values().Encode(), http.NoBody)
	require.NoError(t, err)
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	require.Equal(t, http.StatusOK, reply.StatusCode)
	lines, err := wire.ReadRecordLines(reply.Body, q.Limit)
	require.NoError(t, err)
	for _, line := range lines {
		if line.Key == id {
			return true
		}
	}
	return false
}
