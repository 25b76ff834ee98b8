package dbnode_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// BenchmarkStart opens a node's replica over RocksDB that holds a million users,
// as a start does before the node can answer.
func BenchmarkStart(b *testing.B) {
	const users, step = 1_000_000, 500
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(b, err)
	dir := b.TempDir()
	epoch := uint64(0)
	open := func() (*rocks.Store, *replica.Replica) {
		st, err := rocks.Open(dir)
		require.NoError(b, err)
		epoch++
		r, err := replica.Open(replica.Config{
			NodeID: "db-0", Places: places, Epoch: epoch,
			Now: func() int64 { return time.Now().UnixMicro() },
		}, st)
		require.NoError(b, err)
		return st, r
	}
	await := func(start func(done func(error))) {
		landed := make(chan error, 1)
		start(func(err error) { landed <- err })
		require.NoError(b, <-landed)
	}

	st, r := open()
	await(r.Form)
	r.Admit()
	for first := 0; first < users; first += step {
		requests := make([]register.Request, step)
		for i := range requests {
			key := fmt.Sprintf("user-%08d", first+i)
			doc := fmt.Sprintf(`{"id":%q,"name":"Name of number %d","email":"user%d@example.com","group":%d}`, key, first+i, first+i, i%100)
			ballot := register.Ballot{Time: time.Now().UnixMicro(), Proposer: 1}
			requests[i] = register.Request{
				Kind: register.KindAccept, Partition: uint16(places.Partition(key)), Key: key, Ballot: ballot,
				Disks:  r.Disks(uint16(places.Partition(key))),
				Record: register.Record{Ballot: ballot, Op: ballot, Doc: []byte(doc)},
			}
		}
		await(func(done func(error)) {
			r.Serve(requests, func(replies []register.Reply) {
				for i := range replies {
					if replies[i].Verdict != register.VerdictYes {
						done(fmt.Errorf("record %d was not taken: %v", first+i, replies[i].Verdict))
						return
					}
				}
				done(nil)
			})
		})
	}
	require.NoError(b, st.Compact())
	await(r.Seal)
	require.NoError(b, st.Close())

	for b.Loop() {
		st, r := open()
		b.StopTimer()
		s := r.Status()
		held := s.Data.Records
		for _, h := range s.Hints {
			held += h.Records
		}
		require.EqualValues(b, users, held)
		require.NoError(b, st.Close())
		b.StartTimer()
	}
}
