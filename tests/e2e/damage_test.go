package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/tests/restclient"
)

// TestDamagedFile: a byte of each kind of RocksDB's files turns over on one node's
// disk. Nothing is answered wrongly; that disk is set aside, and the node rebuilt.
func TestDamagedFile(t *testing.T) {
	for name, pattern := range map[string]string{"table": "*.sst", "log": "*.log", "manifest": "MANIFEST-*"} {
		t.Run(name, func(t *testing.T) {
			const node, n = 1, 120
			dir := t.TempDir()
			c := start(t, local.Config{Dir: dir, Gateway: unhedged})
			b := c.newBook()
			b.create(names("u", n)...)
			c.compact() // into tables; what follows is in the log
			b.update("changed", names("u", n/2)...)
			b.remove(names("u", n/4)...)
			c.awaitWhole()

			require.NoError(t, c.Crash(node))
			require.NoError(t, c.Corrupt(node, pattern))
			require.NoError(t, c.Restart(node))
			c.await("the damaged disk is replaced", func() (bool, any) {
				b.check()
				s := c.status(0)
				own := s.Nodes[node].Status
				return s.Whole && own.Incarnation == 2, s.Missing
			})
			b.check()
			c.audit(b.ids())
			aside, err := filepath.Glob(filepath.Join(dir, "db-1", "store.lost-*"))
			require.NoError(t, err)
			require.Len(t, aside, 1, "nothing is deleted")
		})
	}
}

// TestTableGoesBadWhileTheNodeRuns: the scrub, or a request, comes across it.
func TestTableGoesBadWhileTheNodeRuns(t *testing.T) {
	const node = 1
	dir := t.TempDir()
	c := start(t, local.Config{Dir: dir, Gateway: unhedged})
	b := c.newBook()
	b.create(names("u", 120)...)
	c.compact()
	c.awaitWhole()
	require.NoError(t, c.Stop(node))
	c.restart(node) // nothing of the table is in memory
	require.NoError(t, local.CorruptFile(filepath.Join(dir, "db-1", "store"), "*.sst"))
	c.await("the damaged disk is replaced", func() (bool, any) {
		b.check()
		s := c.status(0)
		if !s.Nodes[node].Up {
			return false, s.Missing
		}
		return s.Whole && s.Nodes[node].Status.Incarnation == 2, s.Missing
	})
	b.check()
	c.audit(b.ids())
}

// TestDamagedDiskIsKeptWhileAPeerIsAway: it holds the second copy of what the third
// node lacks. The node serves what it can read of it; it gives it up when both
// others can vote.
func TestDamagedDiskIsKeptWhileAPeerIsAway(t *testing.T) {
	const node, away = 1, 2
	dir := t.TempDir()
	c := start(t, local.Config{Dir: dir, Gateway: unhurried})
	b := c.newBook()
	b.create(names("u", 120)...)
	c.compact()
	c.awaitWhole()
	require.NoError(t, c.Stop(node))
	require.NoError(t, c.Corrupt(node, "*.sst"))
	require.NoError(t, c.Stop(away))
	c.restart(node)

	served, refused := 0, 0
	for id, u := range b.users {
		r := b.client.Get(t.Context(), id)
		if r.Outcome == restclient.OK {
			require.Equal(t, &u, r.User)
			served++
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, r.Status, r)
		refused++
	}
	t.Logf("%d served, %d refused", served, refused)
	require.Positive(t, served)
	require.Positive(t, refused)
	aside := filepath.Join(dir, "db-1", "store.lost-*")
	found, err := filepath.Glob(aside)
	require.NoError(t, err)
	require.Empty(t, found)

	c.restart(away)
	c.await("the damaged disk is replaced", func() (bool, any) {
		s := c.status(0)
		own := s.Nodes[node].Status
		return s.Whole && own.Incarnation == 2, s.Missing
	})
	b.check()
	c.audit(b.ids())
	found, err = filepath.Glob(aside)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// TestRottenRecordsAreHealed while the node runs: bits flip in stored records
// behind the engine's checksums, and the scrub finds and replaces them all, on the
// same disk. A reader never notices.
func TestRottenRecordsAreHealed(t *testing.T) {
	onBothEngines(t, func(t *testing.T, cfg local.Config) {
		const node, n, rotten = 1, 120, 20
		cfg.Gateway = unhedged
		c := start(t, cfg)
		b := c.newBook()
		b.create(names("u", n)...)
		b.update("changed", names("u", n/2)...)
		c.audit(b.ids())

		got, err := c.Rot(node, []byte{'r'}, []byte{'s'}, rotten)
		require.NoError(t, err)
		require.Equal(t, rotten, got)
		c.await("the rotten records are replaced", func() (bool, any) {
			b.check()
			s := c.nodes()[node].Scrub
			return s.Damaged == rotten && s.Healed == rotten, s
		})
		passes := c.nodes()[node].Scrub.Passes
		c.await("the scrub has looked again", func() (bool, any) {
			s := c.nodes()[node].Scrub
			return s.Passes > passes+1, s
		})
		s := c.nodes()[node]
		require.Equal(t, int64(rotten), s.Scrub.Damaged)
		require.NotNil(t, s.Scrub.Last)
		require.Positive(t, s.Scrub.Checked)
		require.EqualValues(t, 1, s.Incarnation, "the disk is still the same")
		b.check()
		c.audit(b.ids())
	})
}

// testCorrupted kills each node in turn and turns over a byte in the log, or the
// manifest, that it left. No user is ever missing or old, and each node is rebuilt.
func testCorrupted(t *testing.T, p *processes) {
	client := restclient.New(patience, p.url)
	defer client.Close()
	ids := names("u", 60)
	users := map[string]restclient.User{}
	for i, id := range ids {
		users[id] = restclient.User{ID: id, Name: "N", Email: "n@example.com", Group: i}
		require.Equal(t, restclient.OK, client.Create(t.Context(), users[id]).Outcome)
	}
	for node, pattern := range []string{"*.log", "MANIFEST-*", "*.log"} {
		for _, id := range ids[:20] {
			u := users[id]
			u.Group += 1000
			require.Equal(t, restclient.OK, client.Update(t.Context(), id, restclient.Patch{Group: &u.Group}).Outcome)
			users[id] = u
		}
		awaitWhole(t, p.url)
		p.node[node].Kill()
		require.NoError(t, local.CorruptFile(filepath.Join(p.dir, fmt.Sprint("db-", node), "store"), pattern))
		p.node[node].Start()
		await(t, "the node is rebuilt", func() (bool, any) {
			for _, id := range ids {
				r := p.settle(t, client, id)
				require.Equal(t, restclient.OK, r.Outcome, r)
				u := users[id]
				require.Equal(t, &u, r.User)
			}
			s := statusOf(t, p.url)
			return s.Whole && s.Nodes[node].Status.Incarnation == 2, s.Missing
		})
	}
	auditAtRest(t, p.url, p.urls, ids)
}
