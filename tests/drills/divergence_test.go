package drills

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/latency"
)

// drillDivergence: one record among many is lost at one data replica, as no rule
// of the protocol foresees; nobody reads it, and anti-entropy finds it. It is
// taken out of the store of a node that is stopped, below all that the node
// knows.
func drillDivergence(t *testing.T, s sizes) {
	const victim = 1
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(t, err)
	c := latency.StartCluster(t, gateways)
	ids := fill(t, c, places, s.users(1_000_000))
	l := latency.Start(t, c, load(0))
	id := ids[0]
	for i := 0; places.Seat(places.Partition(id), victim) == register.SeatW; i++ {
		id = ids[i]
	}

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
	t.Logf("one of %d records, lost at one replica, was back %.1f s after the node's start, unread", len(ids), time.Since(start).Seconds())
	l.Enter("after")
	l.Wait(calm)
	conclude(t, l, c.Nodes(), ids...)
}

// fill has the nodes hold n users as if each had been created through a gateway,
// and returns their ids. So many would take long that way; so the nodes are
// stopped, and what they run is asked to accept, in this process.
func fill(t *testing.T, c *latency.Cluster, places placement.Map, n int) []string {
	t.Helper()
	records := make([]register.Record, n)
	ids := make([]string, n)
	for i := range records {
		ids[i] = fmt.Sprintf("filled-%07d", i)
		doc, err := user.Encode(user.User{ID: ids[i], Name: fmt.Sprint("Number ", i), Email: fmt.Sprintf("user%d@example.com", i), Group: i % 100})
		require.NoError(t, err)
		b := register.Ballot{Time: time.Now().UnixMicro(), Proposer: 1}
		records[i] = register.Record{Ballot: b, Op: b, Doc: doc}
	}
	for node := range placement.Nodes {
		c.Programs[node].Stop()
		accept(t, c, node, places, ids, records)
	}
	for node := range placement.Nodes {
		c.Programs[node].Start()
	}
	for i := range c.Programs {
		c.AwaitReady(i)
	}
	return ids
}

// accept has a node, which is stopped, accept those of the records that it is a
// data replica of.
func accept(t *testing.T, c *latency.Cluster, node int, places placement.Map, ids []string, records []register.Record) {
	t.Helper()
	const step = 500
	st, err := rocks.Open(c.DataDir(node) + "/store")
	require.NoError(t, err)
	r, err := replica.Open(replica.Config{
		NodeID: c.Name(node), Node: node, Places: places, Epoch: uint64(time.Now().UnixNano()),
		Now: func() int64 { return time.Now().UnixMicro() },
	}, st)
	require.NoError(t, err)
	r.Admit()
	var requests []register.Request
	serve := func() {
		replies := make(chan []register.Reply, 1)
		r.Serve(requests, func(out []register.Reply) { replies <- out })
		for _, reply := range <-replies {
			require.Equal(t, register.VerdictYes, reply.Verdict)
		}
		requests = requests[:0]
	}
	for i, id := range ids {
		p := places.Partition(id)
		if places.Seat(p, node) == register.SeatW {
			continue
		}
		requests = append(requests, register.Request{
			Kind: register.KindAccept, Partition: uint16(p), Key: id, Record: records[i], Disks: r.Disks(uint16(p)),
		})
		if len(requests) == step {
			serve()
		}
	}
	serve()
	sealed := make(chan error, 1)
	r.Seal(func(err error) { sealed <- err })
	require.NoError(t, <-sealed)
	require.NoError(t, st.Close())
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
	q := wire.RecordsQuery{Partition: partition, After: id[:len(id)-1], Limit: 100} // few ids come between
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
