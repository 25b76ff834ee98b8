package replica_test

import (
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// listing is a replica of a cluster with four partitions, over a store whose
// writes are durable when the test says so.
type listing struct {
	t     *testing.T
	store *mem.Manual
	*replica.Replica
}

func newListing(t *testing.T) listing {
	t.Helper()
	st, err := mem.OpenManual(mem.NewDisk())
	require.NoError(t, err)
	places, err := placement.New(4)
	require.NoError(t, err)
	r, err := replica.Open(replica.Config{NodeID: "db-0", Places: places, Epoch: 1, Now: func() int64 { return 1 }}, st)
	require.NoError(t, err)
	r.Form(func(err error) { require.NoError(t, err) })
	r.Admit()
	st.Sync()
	return listing{t, st, r}
}

// accept lets the replica take a record; it is durable after the next sync.
func (l listing) accept(partition uint16, key, doc string, at int64, tombstone bool) {
	l.t.Helper()
	b := register.Ballot{Time: at, Proposer: 9}
	rec := register.Record{Ballot: b, Op: b, Tombstone: tombstone, Doc: []byte(doc)}
	q := register.Request{Kind: register.KindAccept, Partition: partition, Key: key, Record: rec, Disks: register.Incarnations{1, 1, 1}}
	l.Serve([]register.Request{q}, func(replies []register.Reply) {
		require.Equal(l.t, register.VerdictYes, replies[0].Verdict)
	})
}

func version(key, doc string, at int64, tombstone bool) replica.Version {
	return replica.Version{
		Key: key, Ballot: register.Ballot{Time: at, Proposer: 9}, Tombstone: tombstone,
		Checksum: crc32.Checksum([]byte(doc), crc32.MakeTable(crc32.Castagnoli)),
	}
}

func TestRecordsAreWhatIsDurable(t *testing.T) {
	l := newListing(t)
	l.accept(1, "b", "old", 5, false)
	l.store.Sync()
	l.accept(1, "b", "new", 6, false)
	l.accept(1, "a", "", 7, true)
	l.accept(2, "c", "elsewhere", 8, false)
	got, err := l.Records(1, "", 10)
	require.NoError(t, err)
	require.Equal(t, []replica.Version{version("b", "old", 5, false)}, got, "what is on its way to disk is not there yet")
	l.store.Sync()
	got, err = l.Records(1, "", 10)
	require.NoError(t, err)
	require.Equal(t, []replica.Version{version("a", "", 7, true), version("b", "new", 6, false)}, got)
}

func TestRecordsComeInPages(t *testing.T) {
	l := newListing(t)
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("k%02d", i)
		want = append(want, key)
		l.accept(3, key, "doc", 5, false)
	}
	l.store.Sync()
	for _, limit := range []int{1, 5, 7, 25, 100} {
		var got []string
		after := ""
		for {
			page, err := l.Records(3, after, limit)
			require.NoError(t, err)
			for _, v := range page {
				require.Greater(t, v.Key, after)
				got = append(got, v.Key)
				after = v.Key
			}
			if len(page) < limit {
				break
			}
			require.Len(t, page, limit)
		}
		require.Equal(t, want, got)
	}
	page, err := l.Records(3, "k24-and-later", 10)
	require.NoError(t, err)
	require.Empty(t, page)
	page, err = l.Records(3, "", 0)
	require.NoError(t, err)
	require.Empty(t, page)
	_, err = l.Records(4, "", 10)
	require.ErrorContains(t, err, "partition 4")
}

// TestDamagedRecordsAreLeftOut, since they count as blank, and don't make a page
// look like the last.
func TestDamagedRecordsAreLeftOut(t *testing.T) {
	l := newListing(t)
	for _, key := range []string{"a", "b", "c"} {
		l.accept(1, key, "doc", 5, false)
	}
	l.store.Sync()
	var keys [][]byte
	require.NoError(t, l.store.Scan([]byte("r"), []byte("s"), func(key, _ []byte) bool {
		keys = append(keys, append([]byte{}, key...))
		return true
	}))
	l.store.Write([]store.Op{{Key: keys[1], Value: []byte("rot")}}, func(error) {})
	l.store.Sync()
	page, err := l.Records(1, "", 2)
	require.NoError(t, err)
	require.Equal(t, []replica.Version{version("a", "doc", 5, false), version("c", "doc", 5, false)}, page)
}
