package replica

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

const testNow = int64(1_000_000)

// testDisks are those of a new cluster.
var testDisks = register.Incarnations{1, 1, 1}

// The partitions of a cluster of three that node 0 has each seat in.
const (
	asD1 = uint16(0)
	asD2 = uint16(2)
	asW  = uint16(1)
)

// bench is a replica on a store whose syncs are made by hand.
type bench struct {
	*Replica
	t     require.TestingT
	disk  *mem.Disk
	store *mem.Manual
	boots uint64
}

func newBench(t require.TestingT) *bench {
	b := &bench{t: t, disk: mem.NewDisk()}
	b.open()
	b.Form(func(err error) { require.NoError(t, err) })
	b.store.Sync()
	return b
}

func testConfig(t require.TestingT, epoch uint64) Config {
	places, err := placement.New(3)
	require.NoError(t, err)
	return Config{NodeID: "n0", Places: places, Epoch: epoch, Now: func() int64 { return testNow }}
}

func (b *bench) open() {
	b.start()
	b.Admit()
}

func (b *bench) start() {
	var err error
	b.store, err = mem.OpenManual(b.disk)
	require.NoError(b.t, err)
	b.boots++
	b.Replica, err = Open(testConfig(b.t, b.boots<<32), b.store)
	require.NoError(b.t, err)
}

// crash loses all but the first kept writes that wait, and starts again.
func (b *bench) crash(kept int) {
	b.store.SyncN(kept)
	b.disk.Crash()
	b.open()
}

// served is a call of Serve and what came of it.
type served struct {
	calls   int
	replies []register.Reply
}

func (b *bench) serve(requests ...register.Request) *served {
	s := &served{}
	b.Serve(requests, func(replies []register.Reply) {
		s.calls++
		s.replies = replies
	})
	return s
}

// ask serves one request and syncs.
func (b *bench) ask(q register.Request) register.Reply {
	s := b.serve(q)
	b.store.Sync()
	require.Len(b.t, s.replies, 1)
	return s.replies[0]
}

func ballot(t int64) register.Ballot { return register.Ballot{Time: testNow + t, Proposer: 1} }

func rec(t int64, doc string) register.Record {
	return register.Record{Ballot: ballot(t), Op: ballot(t), Doc: []byte(doc)}
}

func tombstone(t int64) register.Record {
	return register.Record{Ballot: ballot(t), Op: ballot(t), Tombstone: true}
}

func accept(p uint16, key string, r register.Record) register.Request {
	return register.Request{Kind: register.KindAccept, Partition: p, Key: key, Record: r, Disks: testDisks}
}

func prepare(p uint16, key string, t int64) register.Request {
	return register.Request{Kind: register.KindPrepare, Partition: p, Key: key, Ballot: ballot(t), Disks: testDisks}
}

func read(p uint16, key string) register.Request {
	return register.Request{Kind: register.KindRead, Partition: p, Key: key, Disks: testDisks}
}

func TestNoReplyBeforeTheStartIsOnRecord(t *testing.T) {
	b := &bench{t: t, disk: mem.NewDisk()}
	b.open()
	s := b.serve(read(asD1, "k"))
	require.Zero(t, s.calls)
	b.store.Sync()
	require.Equal(t, 1, s.calls)
}

func TestRepliesWaitForTheirSync(t *testing.T) {
	b := newBench(t)
	p := b.serve(prepare(asD1, "k", 1))
	require.Zero(t, p.calls, "a promise beyond the horizon on disk")
	b.store.Sync()
	require.Equal(t, 1, p.calls)
	require.Equal(t, register.VerdictYes, p.replies[0].Verdict)

	p = b.serve(prepare(asD1, "k", 2))
	require.Equal(t, 1, p.calls, "a promise below the horizon needs no sync")

	a := b.serve(accept(asD1, "k", rec(2, "x")))
	require.Zero(t, a.calls)
	b.store.Sync()
	require.Equal(t, 1, a.calls)
	require.Equal(t, register.VerdictYes, a.replies[0].Verdict)
}

func TestPromiseWaitsForAnEarlierHorizon(t *testing.T) {
	b := newBench(t)
	first := b.serve(prepare(asD1, "k", 1))
	second := b.serve(prepare(asD1, "other", 2))
	elsewhere := b.serve(read(asD2, "k"))
	require.Zero(t, first.calls)
	require.Zero(t, second.calls, "it is covered by a horizon that isn't on disk yet")
	require.Equal(t, 1, elsewhere.calls, "another partition has another horizon")
	b.store.Sync()
	require.Equal(t, 1, first.calls)
	require.Equal(t, 1, second.calls)
}

func TestReadWaitsForAPendingWrite(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "warm", 0))
	a := b.serve(accept(asD1, "k", rec(1, "x")))
	r := b.serve(read(asD1, "k"))
	again := b.serve(accept(asD1, "k", rec(1, "x"))) // already held, but not yet durably
	other := b.serve(read(asD1, "other"))
	refused := b.serve(prepare(asD1, "k", 1))
	require.Zero(t, a.calls)
	require.Zero(t, r.calls, "what it shows may still be lost")
	require.Zero(t, again.calls)
	require.Zero(t, refused.calls)
	require.Equal(t, 1, other.calls)

	b.store.Sync()
	require.Equal(t, register.VerdictYes, again.replies[0].Verdict)
	require.Equal(t, rec(1, "x"), r.replies[0].Record)
	require.Equal(t, register.VerdictRefused, refused.replies[0].Verdict)
	require.Equal(t, 1, b.serve(read(asD1, "k")).calls, "nothing is pending any more")
}

func TestWritesOfAKeyKeepTheirOrder(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "warm", 0))
	one := b.serve(accept(asD1, "k", rec(1, "one")))
	two := b.serve(accept(asD1, "k", rec(2, "two")))
	late := b.serve(accept(asD1, "k", rec(1, "one")))
	b.store.SyncN(1)
	require.Equal(t, 1, one.calls)
	require.Zero(t, two.calls)
	require.Zero(t, late.calls, "refused because of a record that may still be lost")
	r := b.serve(read(asD1, "k"))
	require.Zero(t, r.calls)

	b.crash(0)
	require.Nil(t, two.replies, "the power went first")
	require.Nil(t, r.replies)
	require.Equal(t, "one", string(b.ask(read(asD1, "k")).Record.Doc))
}

func TestBatchIsAnsweredOnceAllIsDurable(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "warm", 0))
	s := b.serve(
		read(asD1, "k"),
		accept(asD1, "k", rec(1, "x")),
		read(asD1, "k"),
		read(99, "k"),
		prepare(asD1, "k", 1),
		prepare(asD1, "k", 2),
		register.Request{Kind: register.KindChosen, Partition: asD1, Key: "k", Ballot: ballot(1)},
		read(asD1, "k"),
	)
	require.Zero(t, s.calls)
	b.store.SyncN(b.store.Waiting() - 1)
	require.Zero(t, s.calls, "not before the last")
	b.store.Sync()
	require.Equal(t, 1, s.calls)
	verdicts := make([]register.Verdict, len(s.replies))
	for i, r := range s.replies {
		verdicts[i] = r.Verdict
	}
	require.Equal(t, []register.Verdict{
		register.VerdictYes, register.VerdictYes, register.VerdictYes, register.VerdictUnable,
		register.VerdictRefused, register.VerdictYes, register.VerdictYes, register.VerdictYes,
	}, verdicts)
	require.True(t, s.replies[0].Record.Blank())
	require.Equal(t, rec(1, "x"), s.replies[2].Record)
	require.True(t, s.replies[7].Chosen)

	empty := b.serve()
	require.Equal(t, 1, empty.calls)
}

func TestFailedWriteStopsTheReplica(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "warm", 0))
	full := errors.New("disk full")
	b.disk.Break(full)
	failing := b.serve(accept(asD1, "k", rec(1, "x")), read(asD1, "other"))
	waiting := b.serve(read(asD1, "k"))
	b.store.Sync()
	require.Equal(t, 1, failing.calls)
	require.Nil(t, failing.replies, "nothing is said, not even to the read beside it")
	require.Equal(t, 1, waiting.calls)
	require.Nil(t, waiting.replies)
	select {
	case err := <-b.Failed():
		require.ErrorIs(t, err, full)
	default:
		t.Fatal("the failure is not reported")
	}

	b.disk.Break(nil)
	after := b.serve(read(asD1, "other"))
	require.Equal(t, 1, after.calls)
	require.Nil(t, after.replies)
}

func TestPromisesSurviveACrash(t *testing.T) {
	b := newBench(t)
	require.Equal(t, register.VerdictYes, b.ask(prepare(asD1, "k", 5)).Verdict)
	b.crash(0)
	require.Equal(t, register.VerdictRefused, b.ask(accept(asD1, "k", rec(4, "old"))).Verdict)
	require.Equal(t, register.VerdictRefused, b.ask(prepare(asD1, "k", 4)).Verdict)
	require.Equal(t, register.VerdictYes, b.ask(prepare(asD1, "k", register.HorizonStep+1)).Verdict)
}

func TestSealedReplicaRefusesNothingOfTheNearFuture(t *testing.T) {
	b := newBench(t)
	b.ask(prepare(asD1, "k", 5))
	var sealed []error
	b.Seal(func(err error) { sealed = append(sealed, err) })
	require.Empty(t, sealed)
	require.Nil(t, b.serve(read(asD1, "k")).replies, "a sealed replica answers nothing")
	b.store.Sync()
	require.Equal(t, []error{nil}, sealed)
	require.NoError(t, b.store.Close())

	b.open()
	require.Equal(t, register.VerdictRefused, b.ask(prepare(asD1, "k", 5)).Verdict, "what was promised stays promised")
	require.Equal(t, register.VerdictYes, b.ask(prepare(asD1, "k", 6)).Verdict)
}

// A request that is being served while the replica is sealed must not be given a
// promise that the sealed horizon doesn't cover. Seal takes the partitions in order,
// the requests go through them the other way.
func TestSealMeetsRequests(t *testing.T) {
	const partitions = 64
	places, err := placement.New(partitions)
	require.NoError(t, err)
	open := func(disk *mem.Disk, epoch uint64) (*mem.Store, *Replica) {
		st, err := mem.Open(disk)
		require.NoError(t, err)
		cfg := testConfig(t, epoch)
		cfg.Places = places
		r, err := Open(cfg, st)
		require.NoError(t, err)
		if r.Life().Incarnation == 0 {
			r.Form(func(err error) { require.NoError(t, err) })
		}
		r.Admit()
		return st, r
	}
	all := func(r *Replica, at int64) []register.Reply {
		requests := make([]register.Request, partitions)
		for i := range requests {
			requests[i] = prepare(uint16(partitions-1-i), "k", at)
		}
		replies := make(chan []register.Reply, 1)
		r.Serve(requests, func(rs []register.Reply) { replies <- rs })
		return <-replies
	}
	for round := range 100 {
		disk := mem.NewDisk()
		st, r := open(disk, 1)
		require.NotNil(t, all(r, 1))
		last := int64(1)
		busy := make(chan struct{}, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			for all(r, last+1) != nil {
				last++
				select {
				case busy <- struct{}{}:
				default:
				}
			}
		})
		<-busy
		sealed := make(chan error)
		r.Seal(func(err error) { sealed <- err })
		require.NoError(t, <-sealed)
		wg.Wait()
		require.NoError(t, st.Close())

		st, r = open(disk, 2)
		for _, reply := range all(r, last) {
			require.Equal(t, register.VerdictRefused, reply.Verdict, "round %d: a promise of %d is forgotten", round, last)
		}
		require.NoError(t, st.Close())
	}
}
