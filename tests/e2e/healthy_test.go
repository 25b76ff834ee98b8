package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/people/loader"
	"github.com/dyad-db/dyad/tests/restclient"
)

const clients = 32

// TestExactlyTwoNodesPerOperation counts, on the nodes, the messages of many
// operations of each kind: a read asks two of them, a change prepares and
// accepts at two, and neither touches a witness.
func TestExactlyTwoNodesPerOperation(t *testing.T) {
	n := size(t, "DYAD_E2E_OPERATIONS", 2_500)
	c := start(t, local.Config{Gateway: unhedged})
	c.warmUp()
	all := many(clients, c.client())
	group, twice := 8, int64(2*n)
	change := wire.Messages{Prepare: twice, Accept: twice}
	for _, kind := range []struct {
		name string
		do   func(client *restclient.Client, id string) restclient.Result
		want wire.Messages // of all nodes together
	}{
		{"create", func(client *restclient.Client, id string) restclient.Result {
			return client.Create(t.Context(), restclient.User{ID: id, Name: "N", Email: "n@example.com", Group: 7})
		}, change},
		{"read", func(client *restclient.Client, id string) restclient.Result {
			return client.Get(t.Context(), id)
		}, wire.Messages{Read: twice}},
		{"update", func(client *restclient.Client, id string) restclient.Result {
			return client.Update(t.Context(), id, restclient.Patch{Group: &group})
		}, change},
		{"delete", func(client *restclient.Client, id string) restclient.Result {
			return client.Delete(t.Context(), id)
		}, change},
	} {
		before, beforeThird := c.messages(), c.status(0).Operations.ThirdAsked
		share(n, all, func(i int, client *restclient.Client) { requireOK(t, kind.do(client, fmt.Sprint("user-", i))) })
		data, witness := c.messages().since(before)
		data.Chosen = 0 // they ride along with later messages, or not at all
		t.Logf("%d × %s: %+v at data replicas, %+v at witnesses", n, kind.name, data, witness)
		require.Equal(t, kind.want, data, kind.name)
		require.Zero(t, witness, kind.name)
		require.Equal(t, beforeThird, c.status(0).Operations.ThirdAsked, kind.name)
	}
}

// warmUp lets gateway 0 learn the epochs of all acceptors: the first blank that
// it meets of each makes it look twice.
func (c *cluster) warmUp() {
	c.t.Helper()
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(c.t, err)
	client := c.client()
	missing := map[int]bool{}
	for p := range places.Partitions() {
		missing[p] = true
	}
	for i := 0; len(missing) > 0; i++ {
		id := fmt.Sprint("warm-", i)
		if p := places.Partition(id); missing[p] {
			delete(missing, p)
			require.Equal(c.t, restclient.NotFound, client.Get(c.t.Context(), id).Outcome)
		}
	}
}

// many returns a client n times, for as many users of it at once.
func many(n int, client *restclient.Client) []*restclient.Client {
	all := make([]*restclient.Client, n)
	for i := range all {
		all[i] = client
	}
	return all
}

// counters are the messages that all nodes took, in each role.
type counters struct{ data, witness wire.Messages }

func (c *cluster) messages() counters {
	c.t.Helper()
	var sum counters
	for _, n := range c.nodes() {
		sum.data = plus(sum.data, n.AsData, 1)
		sum.witness = plus(sum.witness, n.AsWitness, 1)
	}
	return sum
}

func (m counters) since(before counters) (data, witness wire.Messages) {
	return plus(m.data, before.data, -1), plus(m.witness, before.witness, -1)
}

func plus(a, b wire.Messages, sign int64) wire.Messages {
	return wire.Messages{
		Read:    a.Read + sign*b.Read,
		Prepare: a.Prepare + sign*b.Prepare,
		Accept:  a.Accept + sign*b.Accept,
		Chosen:  a.Chosen + sign*b.Chosen,
	}
}

// TestRealNamesOnTwoNodesInTwiceTheirBytes loads users with the names of real
// people through the API and reads each back equal. At rest every one is on
// exactly two nodes, and all disks together, compacted, hold at most twice the
// users' JSON.
func TestRealNamesOnTwoNodesInTwiceTheirBytes(t *testing.T) {
	n := size(t, "DYAD_E2E_USERS", 10_000)
	c := start(t, local.Config{Dir: t.TempDir(), Gateway: unhedged})
	rows := make([]people.Person, 0, n)
	ids := make([]string, 0, n)
	var size int64
	for p := range people.Generate(1, n) {
		rows = append(rows, p)
		ids = append(ids, p.ID)
		document, err := json.Marshal(restclient.User(p.Stored()))
		require.NoError(t, err)
		size += int64(len(document))
	}
	summary, err := loader.Load(t.Context(), loader.Config{Client: c.client(), Connections: clients}, rows)
	require.NoError(t, err)
	t.Log(summary)
	require.NoError(t, summary.Err(), summary.Problems)
	report := c.audit(ids)
	require.Equal(t, 2*n, report.Compared)

	c.compact()
	var records, disk int64
	for _, node := range c.nodes() {
		records += node.Data.Records
		disk += node.DiskBytes
		require.Zero(t, node.HintCount())
	}
	require.EqualValues(t, 2*n, records)
	ratio := float64(disk) / float64(size)
	t.Logf("%d bytes on all disks for %d users of %d bytes of JSON: %.2f times", disk, n, size, ratio)
	require.LessOrEqual(t, ratio, 2.0)
}
