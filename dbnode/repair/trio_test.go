package repair_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// trio is a cluster of production replicas in one process, on engines in memory.
type trio struct {
	t        *testing.T
	places   placement.Map
	stores   [placement.Nodes]*mem.Store
	replicas [placement.Nodes]*replica.Replica
	down     [placement.Nodes]bool
	boots    uint64
	driver   *drive.Driver
}

// newTrio is a new cluster of three partitions: node p is D1 of partition p.
func newTrio(t *testing.T) *trio {
	t.Helper()
	places, err := placement.New(placement.Nodes)
	require.NoError(t, err)
	c := &trio{t: t, places: places}
	for node := range c.replicas {
		c.open(node)
		c.wait(c.replicas[node].Form)
	}
	for node := range c.replicas {
		c.introduce(node)
		c.replicas[node].Admit()
	}
	c.driver = drive.New(drive.Config{
		Nodes: c, Places: places, Proposer: 7, Hedge: drive.DefaultHedge(), Jitter: rand.N[time.Duration],
	})
	return c
}

func (c *trio) open(node int) {
	var err error
	c.stores[node], err = mem.Open(mem.NewDisk())
	require.NoError(c.t, err)
	c.boots++
	c.replicas[node], err = replica.Open(replica.Config{
		NodeID: fmt.Sprint("n", node), Node: node, Places: c.places, Epoch: c.boots << 32,
		Now: func() int64 { return time.Now().UnixMicro() },
	}, c.stores[node])
	require.NoError(c.t, err)
}

// introduce shows the life of a node to the others and returns their fences.
func (c *trio) introduce(node int) (fences []register.Ballot) {
	for other, r := range c.replicas {
		if other == node {
			continue
		}
		c.wait(func(done func(error)) {
			r.Hear(node, c.replicas[node].Life(), func(h replica.Heard, err error) {
				for i, f := range h.Fences {
					if len(fences) <= i {
						fences = append(fences, f)
					}
					fences[i] = register.Max(fences[i], f)
				}
				done(err)
			})
		})
	}
	return fences
}

// lose gives a node a blank disk, fenced and not yet rebuilt.
func (c *trio) lose(node int) {
	require.NoError(c.t, c.stores[node].Close())
	c.open(node)
	c.wait(func(done func(error)) { c.replicas[node].Rejoin(2, done) })
	fences := c.introduce(node)
	c.wait(func(done func(error)) { c.replicas[node].Raise(fences, done) })
	for other, r := range c.replicas {
		c.wait(func(done func(error)) {
			c.replicas[node].Hear(other, r.Life(), func(_ replica.Heard, err error) { done(err) })
		})
	}
	c.replicas[node].Admit()
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.NewTimer(d).C }

func (c *trio) wait(start func(done func(error))) {
	c.t.Helper()
	landed := make(chan error, 1)
	start(func(err error) { landed <- err })
	require.NoError(c.t, <-landed)
}

func (c *trio) close() {
	for _, s := range c.stores {
		require.NoError(c.t, s.Close())
	}
}

// Send satisfies drive.Nodes.
func (c *trio) Send(node int, q register.Request, _ time.Time, reply func(register.Reply)) {
	if c.down[node] {
		reply(register.Reply{Verdict: register.VerdictUnsent})
		return
	}
	c.replicas[node].Serve([]register.Request{q}, func(replies []register.Reply) {
		replies[0].Sole = true
		reply(replies[0])
	})
}

// SendLazy satisfies drive.Nodes.
func (c *trio) SendLazy(node int, q register.Request) {
	if !c.down[node] {
		c.replicas[node].Serve([]register.Request{q}, func([]register.Reply) {})
	}
}

// Up satisfies drive.Nodes.
func (c *trio) Up(node int) bool { return !c.down[node] }

// Digest satisfies repair.Contents.
func (c *trio) Digest(_ context.Context, node int, partition uint16) (tree digest.Tree, err error) {
	c.wait(func(done func(error)) {
		c.replicas[node].Digest(partition, func(d digest.Tree, e error) { tree, err = d, e; done(nil) })
	})
	return tree, err
}

// Page satisfies repair.Contents, two records at a time.
func (c *trio) Page(_ context.Context, node int, partition uint16, after string) ([]register.Hint, bool, error) {
	return c.replicas[node].Page(partition, after, 2, 1<<20)
}

// change writes a record of that key, a nil document deleting it.
func (c *trio) change(key string, doc []byte) {
	c.t.Helper()
	_, err := c.driver.Do(c.t.Context(), drive.Request{
		Key: key, Deadline: time.Now().Add(time.Second),
		Change: func([]byte) ([]byte, error) { return doc, nil },
	})
	require.NoError(c.t, err)
}

// accept stores a record at one node alone, as a write does whose gateway dies.
func (c *trio) accept(node int, key string) {
	c.t.Helper()
	b := register.Ballot{Time: time.Now().UnixMicro(), Proposer: 3}
	q := register.Request{
		Kind: register.KindAccept, Partition: uint16(c.places.Partition(key)), Key: key,
		Record: register.Record{Ballot: b, Op: b, Doc: []byte("half")}, Disks: c.replicas[node].Disks(0),
	}
	c.Send(node, q, time.Time{}, func(r register.Reply) { require.Equal(c.t, register.VerdictYes, r.Verdict) })
	synctest.Wait()
}

// held returns what each node holds of a key.
func (c *trio) held(key string) (out [placement.Nodes]register.Record) {
	c.t.Helper()
	partition := uint16(c.places.Partition(key))
	for node, r := range c.replicas {
		for after, more := "", true; more; {
			page, m, err := r.Page(partition, after, 100, 1<<20)
			require.NoError(c.t, err)
			for _, h := range page {
				after = h.Key
				if h.Key == key {
					out[node] = h.Record
				}
			}
			more = m
		}
	}
	return out
}

// key returns the n-th key of the partition of which node 0 is the first data
// replica, node 1 the second, and node 2 the witness.
func (c *trio) key(n int) string {
	for i := 0; ; i++ {
		if k := fmt.Sprint("k", i); c.places.Partition(k) == 0 {
			if n--; n < 0 {
				return k
			}
		}
	}
}

// steps runs a worker until it has nothing more to do.
func (c *trio) steps(step func(context.Context) (bool, error)) {
	c.t.Helper()
	for busy := true; busy; {
		var err error
		busy, err = step(c.t.Context())
		require.NoError(c.t, err)
	}
}

func onTrio(t *testing.T, test func(t *testing.T, c *trio)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t)
		defer c.close()
		test(t, c)
	})
}

func (c *trio) collector() *repair.Collector {
	return repair.NewCollector(0, c.places, c.replicas[0], c, c.driver)
}

func TestTombstoneGoesFromAllNodes(t *testing.T) {
	onTrio(t, func(t *testing.T, c *trio) {
		c.change(c.key(0), []byte("x"))
		c.change(c.key(1), []byte("stays"))
		c.change(c.key(0), nil)
		collector := c.collector()
		c.steps(collector.Step)
		require.True(t, c.held(c.key(0))[0].Tombstone, "it is too young")
		pass(2 * time.Second)
		c.steps(collector.Step)
		require.Equal(t, [placement.Nodes]register.Record{}, c.held(c.key(0)))
		require.Equal(t, "stays", string(c.held(c.key(1))[0].Doc))
	})
}

// TestTombstoneStaysWhileANodeIsAway, or is being rebuilt.
func TestTombstoneStaysWhileANodeIsAway(t *testing.T) {
	for node := 1; node < placement.Nodes; node++ {
		onTrio(t, func(t *testing.T, c *trio) {
			c.change(c.key(0), []byte("x"))
			c.change(c.key(0), nil)
			pass(2 * time.Second)
			collector := c.collector()
			c.down[node] = true
			c.steps(collector.Step)
			require.True(t, c.held(c.key(0))[0].Tombstone, "node %d is away", node)
			c.down[node] = false
			c.lose(node)
			c.steps(collector.Step)
			require.True(t, c.held(c.key(0))[0].Tombstone, "node %d is being rebuilt", node)
		})
	}
}

// TestHalfCollectedTombstoneIsTakenUpAgain: the second data replica has dropped
// it, and then the collector's node went down.
func TestHalfCollectedTombstoneIsTakenUpAgain(t *testing.T) {
	onTrio(t, func(t *testing.T, c *trio) {
		c.change(c.key(0), []byte("x"))
		c.change(c.key(0), nil)
		pass(2 * time.Second)
		q := register.Request{
			Kind: register.KindCollect, Key: c.key(0), Ballot: c.held(c.key(0))[1].Ballot, Disks: c.replicas[1].Disks(0),
		}
		c.Send(1, q, time.Time{}, func(r register.Reply) { require.Equal(t, register.VerdictYes, r.Verdict) })
		synctest.Wait()
		require.True(t, c.held(c.key(0))[1].Blank())
		collector := c.collector()
		c.steps(collector.Step) // writes it anew at both
		pass(2 * time.Second)
		c.steps(collector.Step)
		require.Equal(t, [placement.Nodes]register.Record{}, c.held(c.key(0)))
	})
}

func (c *trio) entropy() *repair.AntiEntropy {
	joining := func(p uint16) bool { return c.replicas[0].AnyJoining(p) }
	return repair.NewAntiEntropy(0, c.places, c, c, c.driver, joining, repair.QuietTime, slog.New(slog.DiscardHandler))
}

func TestAntiEntropyFindsNothingWhereNothingIsWrong(t *testing.T) {
	onTrio(t, func(t *testing.T, c *trio) {
		for i := range 20 {
			c.change(c.key(i), []byte("x"))
		}
		before := c.replicas[0].Status().AsData
		entropy := c.entropy()
		c.steps(entropy.Step)
		require.Equal(t, int64(1), entropy.Passes.Load())
		require.Zero(t, entropy.Found.Load())
		require.Equal(t, before, c.replicas[0].Status().AsData, "no round was run")
	})
}

// TestAntiEntropyHealsWhatOneReplicaLacks, be it the first or the second.
func TestAntiEntropyHealsWhatOneReplicaLacks(t *testing.T) {
	for node := range 2 {
		onTrio(t, func(t *testing.T, c *trio) {
			for i := range 20 {
				c.change(c.key(i), []byte("x"))
			}
			c.accept(node, c.key(30))
			entropy := c.entropy()
			c.steps(entropy.Step)
			require.Equal(t, int64(1), entropy.Found.Load())
			held := c.held(c.key(30))
			require.Equal(t, "half", string(held[0].Doc))
			require.Equal(t, held[0], held[1])
			require.True(t, held[2].Blank(), "the witness was not needed")
		})
	}
}

func (c *trio) rebuild(node int) *repair.Rebuild {
	return repair.NewRebuild(node, c.places, c.replicas[node], c, c.driver, c.replicas[node].Admitted, slog.New(slog.DiscardHandler))
}

// TestRebuiltReplicaHoldsAllThatTheOthersHold: the records of the other data
// replica and the hints of the witness, page by page.
func TestRebuiltReplicaHoldsAllThatTheOthersHold(t *testing.T) {
	onTrio(t, func(t *testing.T, c *trio) {
		for i := range 7 {
			c.change(c.key(i), []byte("x"))
		}
		c.down[1] = true
		c.change(c.key(2), []byte("changed"))
		c.down[1] = false
		c.accept(2, c.key(40)) // a hint that no data replica has
		c.lose(0)
		require.True(t, c.held(c.key(2))[0].Blank())
		c.steps(c.rebuild(0).Step)
		require.False(t, c.replicas[0].Life().Joining)
		require.Equal(t, "changed", string(c.held(c.key(2))[0].Doc))
		require.Equal(t, "half", string(c.held(c.key(40))[0].Doc))
		for i := range 7 {
			require.False(t, c.held(c.key(i))[0].Blank(), i)
		}
	})
}

// TestRebuiltWitnessWaitsForTheReplicasToAgree: the lost disk may have held the
// hint that one of them lacks.
func TestRebuiltWitnessWaitsForTheReplicasToAgree(t *testing.T) {
	onTrio(t, func(t *testing.T, c *trio) {
		c.change(c.key(0), []byte("x"))
		c.accept(1, c.key(30))
		c.lose(2)
		worker := c.rebuild(2)
		differed := 0
		for busy := true; busy || differed > 0 && c.replicas[2].Joining(0); {
			require.Less(t, differed, 5)
			var err error
			if busy, err = worker.Step(t.Context()); err != nil {
				differed++
				pass(time.Second) // as its node does before it goes on
			}
		}
		require.Positive(t, differed)
		held := c.held(c.key(30))
		require.Equal(t, "half", string(held[0].Doc))
		require.Equal(t, held[1].Ballot, held[0].Ballot)
	})
}
