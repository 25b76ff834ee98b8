package drills

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
)

// drillFullDisk fills up the disk of one node to the last byte: requests go on
// with the other two, and the node by itself once there is room.
func drillFullDisk(t *testing.T, s sizes) {
	const victim = 1
	c := latency.StartCluster(t, gateways)
	ballast := faults.SmallDisk(t, c, victim)
	l := latency.Start(t, c, load(0))
	l.AwaitWhole()
	l.Suffer(faults.Full(t, c, victim, ballast, true, s.away(10)))
	conclude(t, l, c.Nodes())
}

// drillTwoFullDisks leaves two nodes less than their reserve: creates and updates
// are refused and certainly not applied, reads and deletions go on, and so does
// everything once one of the two has room.
func drillTwoFullDisks(t *testing.T, _ sizes) {
	c := latency.StartCluster(t, gateways)
	client := restclient.New(patience, c.Gateways()...)
	t.Cleanup(client.Close)
	s := &story{T: t, c: c, client: client, d1: 0, d2: 1, w: 2}
	var ballasts []string
	for _, node := range []int{s.d1, s.d2} {
		ballasts = append(ballasts, faults.SmallDisk(t, c, node))
	}
	s.whole()
	kept, doomed, refused := s.newID("kept"), s.newID("doomed"), s.newID("refused")
	for _, s.id = range []string{kept, doomed} {
		s.create("before")
	}
	readOnly := func(count int) func(latency.Status) bool {
		return func(status latency.Status) bool { return strings.Count(status.Missing, "read-only") == count }
	}
	for _, path := range ballasts {
		faults.Leave(t, path, faults.Spared)
	}
	s.await("two nodes are read-only", readOnly(len(ballasts)))

	other := "too much"
	for range gateways {
		for _, r := range []restclient.Result{
			s.client.Create(s.Context(), restclient.User{ID: refused, Name: other, Email: "u@example.com"}),
			s.client.Update(s.Context(), kept, restclient.Patch{Name: &other}),
		} {
			require.Equal(s, http.StatusInsufficientStorage, r.Status, r)
		}
	}
	s.id = refused
	s.read("")
	s.id = kept
	s.read("before")
	s.id = doomed
	s.remove()
	s.read("")

	require.NoError(t, os.Remove(ballasts[0]))
	s.await("one node is read-only", readOnly(1))
	s.id = kept
	s.update("after")
	s.id = refused
	s.create("after")
	require.NoError(t, os.Remove(ballasts[1]))
	s.whole()
	for _, s.id = range []string{kept, refused} {
		s.read("after")
	}
	atRest(t, c.Nodes(), nil)
}
