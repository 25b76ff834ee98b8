package drills

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	patience  = 10 * time.Second // for one answer
	pollEvery = 50 * time.Millisecond
)

// story is a cluster to which one thing after the other happens, and the user
// it is about. In each of its chapters another node is first data replica.
type story struct {
	*testing.T
	c         *latency.Cluster
	client    *restclient.Client
	id        string
	d1, d2, w int
	chapter   int
}

// eachGroup tells a story once for each group of nodes; the cluster is whole
// before and after.
func eachGroup(t *testing.T, tell func(s *story)) {
	c := latency.StartCluster(t, gateways)
	client := restclient.New(patience, c.Gateways()...)
	t.Cleanup(client.Close)
	for d1 := range placement.Nodes {
		s := &story{T: t, c: c, client: client, d1: d1, chapter: d1}
		s.id = s.newID("user")
		s.d2, s.w = (d1+1)%placement.Nodes, (d1+2)%placement.Nodes
		tell(s)
		s.whole()
		s.Logf("group %s, %s, %s: ended as it should", c.Name(s.d1), c.Name(s.d2), c.Name(s.w))
	}
	atRest(t, c.Nodes(), nil)
}

// newID returns an id whose first data replica is d1.
func (s *story) newID(name string) string {
	places, err := placement.New(placement.DefaultPartitions)
	require.NoError(s, err)
	for i := 0; ; i++ {
		id := fmt.Sprintf("%s-%d-%d", name, s.chapter, i)
		if places.Group(places.Partition(id))[register.SeatD1] == s.d1 {
			return id
		}
	}
}

func (s *story) user(name string) restclient.User {
	return restclient.User{ID: s.id, Name: name, Email: "u@example.com"}
}

func (s *story) create(name string) { s.acknowledged(s.client.Create(s.Context(), s.user(name))) }

func (s *story) update(name string) {
	s.acknowledged(s.client.Update(s.Context(), s.id, restclient.Patch{Name: &name}))
}

func (s *story) remove() { s.acknowledged(s.client.Delete(s.Context(), s.id)) }

func (s *story) acknowledged(r restclient.Result) {
	s.Helper()
	require.NoError(s, r.Err)
	require.Equal(s, restclient.OK, r.Outcome, r)
}

// read reads through both gateways: the user by that name, or 404 if the name
// is empty.
func (s *story) read(name string) {
	s.Helper()
	for range gateways {
		s.is(name, s.client.Get(s.Context(), s.id))
	}
}

func (s *story) is(name string, r restclient.Result) {
	s.Helper()
	require.NoError(s, r.Err)
	if name == "" {
		require.Equal(s, restclient.NotFound, r.Outcome, r)
		return
	}
	require.Equal(s, restclient.OK, r.Outcome, r)
	require.Equal(s, s.user(name), *r.User)
}

// refused: no two that may vote are up, so that nothing is read or changed.
func (s *story) refused() {
	s.Helper()
	other := "someone else"
	for range gateways {
		for _, r := range []restclient.Result{
			s.client.Get(s.Context(), s.id),
			s.client.Create(s.Context(), s.user(other)),
			s.client.Update(s.Context(), s.id, restclient.Patch{Name: &other}),
			s.client.Delete(s.Context(), s.id),
		} {
			require.Equal(s, restclient.Unavailable, r.Outcome, r)
		}
	}
}

func (s *story) stop(nodes ...int) {
	for _, i := range nodes {
		s.c.Programs[i].Kill()
	}
}

// start starts nodes, and waits until they serve.
func (s *story) start(nodes ...int) {
	s.startBlind(nodes...)
	for _, i := range nodes {
		s.c.AwaitReady(i)
	}
}

// startBlind starts nodes that can't serve yet.
func (s *story) startBlind(nodes ...int) {
	for _, i := range nodes {
		s.c.Programs[i].Start()
	}
}

// await waits until both gateways say what done wants to hear.
func (s *story) await(what string, done func(latency.Status) bool) {
	s.Helper()
	_, err := latency.AwaitStatus(s.Context(), s.c.Gateways(), wholeBound, done)
	require.NoError(s, err, "it is not so that %s", what)
}

func (s *story) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.Context().Done():
	}
}

func (s *story) whole() {
	s.Helper()
	s.await("the cluster is whole without a tombstone", func(status latency.Status) bool { return status.Whole && status.Tombstones == 0 })
}

// drillStaleSurvivor: a write was acknowledged by the first data replica and the
// witness; then the first stops, and the second, which lacks it, comes back.
func drillStaleSurvivor(t *testing.T, _ sizes) {
	eachGroup(t, func(s *story) {
		s.create("old")
		s.stop(s.d2)
		s.update("new")
		s.stop(s.d1, s.w)
		s.startBlind(s.d2) // alone: it doesn't even know that it is stale
		s.refused()
		s.start(s.w)
		s.c.AwaitReady(s.d2)
		s.read("new")
		require.Equal(s, restclient.Exists, s.client.Create(s.Context(), s.user("second")).Outcome)
		s.update("newer")
		s.start(s.d1)
		s.read("newer")
		s.whole()

		s.id = s.newID("born-without-d2")
		s.stop(s.d2)
		s.create("first")
		s.stop(s.d1, s.w)
		s.startBlind(s.d2)
		s.refused() // never 404, never a second creation
		s.start(s.w)
		s.c.AwaitReady(s.d2)
		require.Equal(s, restclient.Exists, s.client.Create(s.Context(), s.user("second")).Outcome)
		s.read("first")
		s.start(s.d1)
	})
}

// drillWipedSurvivor: the disk of the first data replica is lost while the
// second is away: it must not vote, and nobody hears 404.
func drillWipedSurvivor(t *testing.T, sz sizes) {
	eachGroup(t, func(s *story) {
		lose(s, sz.away(3), func() { faults.Wipe(s, s.c.DataDir(s.d1)) })
	})
}

// drillRolledBack is the same with a disk that was put back to an older copy.
func drillRolledBack(t *testing.T, sz sizes) {
	eachGroup(t, func(s *story) {
		s.stop(s.d1)
		older := faults.Copy(s, s.c.DataDir(s.d1))
		s.start(s.d1)
		s.whole()
		lose(s, sz.away(3), func() { faults.RollBack(s, s.c.DataDir(s.d1), older) })
	})
}

func lose(s *story, away time.Duration, damage func()) {
	s.Helper()
	s.create("old") // on both data replicas, and nowhere else
	s.stop(s.d2)
	old, young := s.id, s.newID("born-without-d2")
	s.id = young
	s.create("new") // on the first data replica and the witness
	s.stop(s.d1)
	damage()
	s.startBlind(s.d1)
	silent := func(status latency.Status) bool { return slices.Equal(status.Silent, []string{s.c.Name(s.d1)}) }
	for end := time.Now().Add(away); time.Now().Before(end); s.pause(pollEvery) {
		s.await("the node whose disk was lost answers, and does not vote", silent)
		for _, s.id = range []string{old, young} {
			s.refused()
		}
	}
	s.start(s.d2)
	s.c.AwaitReady(s.d1)
	s.id = old
	s.read("old")
	s.id = young
	s.read("new")
	s.whole()
	s.stop(s.w) // what was rebuilt has to serve
	s.read("new")
	s.start(s.w)
}

// drillDeleteWhileAway: whoever is away while a user is deleted, its tombstone
// stays; and when they are back, with an old copy or an old hint, the user stays
// deleted.
func drillDeleteWhileAway(t *testing.T, sz sizes) {
	away := sz.away(5)
	eachGroup(t, func(s *story) {
		for seat, node := range []int{s.d1, s.d2, s.w} {
			s.id = s.newID(fmt.Sprint("copy-at-", seat))
			s.create("doomed")
			s.stop(node)
			s.remove()
			s.staysDeleted(away)
			s.start(node)
			s.read("")
			s.whole()
			s.read("")
		}

		s.id = s.newID("hint")
		s.create("doomed")
		s.stop(s.d2)
		s.update("hinted")
		s.stop(s.w) // with the hint
		s.start(s.d2)
		s.remove()
		s.staysDeleted(away)
		s.start(s.w)
		s.read("")
		s.whole()
		s.read("")
	})
}

// staysDeleted watches the tombstone for a while: one node is away, so that
// nobody can have proof that it may go.
func (s *story) staysDeleted(d time.Duration) {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); s.pause(pollEvery) {
		s.read("")
		s.await("a tombstone is kept", func(status latency.Status) bool { return status.Tombstones+status.Hints > 0 })
	}
}

// drillOldHint: a witness that was away comes back with a hint that is older
// than what the data replicas hold by then.
func drillOldHint(t *testing.T, _ sizes) {
	eachGroup(t, func(s *story) {
		s.create("old")
		s.stop(s.d2)
		s.update("hinted")
		s.stop(s.w)
		s.start(s.d2)
		s.update("newer")
		s.start(s.w)
		s.read("newer")
		s.whole()
		s.read("newer")
		s.stop(s.w)
		s.read("newer")
		s.start(s.w)
	})
}
