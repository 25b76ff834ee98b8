package replica

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

func TestStoreBelongsToOneNode(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.store.Close())
	places, err := placement.New(4)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"another node":      {func(c *Config) { c.NodeID = "n1" }, `the data belongs to node "n0", not "n1"`},
		"another partition": {func(c *Config) { c.Places = places }, "made with 3 partitions, not 4"},
		"no epoch":          {func(c *Config) { c.Epoch = 0 }, "epoch must not be zero"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, 9)
			c.change(&cfg)
			st, err := mem.OpenManual(b.disk)
			require.NoError(t, err)
			_, err = Open(cfg, st)
			require.ErrorContains(t, err, c.says)
			require.NoError(t, st.Close())
		})
	}
	b.open()
	require.Equal(t, Identity{NodeID: "n0", Partitions: 3, Lives: [placement.Nodes]Life{{Incarnation: 1, Boots: 1, Beat: 1, Starts: Starts{1: 1 << 32}}}}, b.Identity())
}

// TestStartIsTheSameUntilItIsRecognized: an old copy that is started often, and
// never heard, still shows where it parted from the disk.
func TestStartIsTheSameUntilItIsRecognized(t *testing.T) {
	b := newBench(t)
	recognize := func() {
		b.Recognize(func(err error) { require.NoError(t, err) })
		b.store.Sync()
	}
	recognize()
	require.Equal(t, Life{Incarnation: 1, Boots: 1, Beat: 2, Starts: Starts{1: 1 << 32}, Recognized: true}, b.Life())
	for range 40 {
		b.crash(0)
		b.store.Sync()
		require.Equal(t, Life{Incarnation: 1, Boots: 2, Beat: 2, Starts: Starts{1: 1 << 32, 2: 2 << 32}}, b.Life())
	}
	recognize()
	b.crash(0)
	require.Equal(t, Life{Incarnation: 1, Boots: 3, Beat: 3, Starts: Starts{1: 1 << 32, 2: 2 << 32, 3: 42 << 32}}, b.Life())
}

// spoil flips a bit of a stored value that no message asked for lately.
func (b *bench) spoil(key []byte) {
	b.flip(key)
	for _, p := range b.parts {
		p.recent = recent{}
	}
}

// flip flips a bit of a stored value.
func (b *bench) flip(key []byte) {
	value, err := b.store.Get(key)
	require.NoError(b.t, err)
	require.NotEmpty(b.t, value)
	value[len(value)/2] ^= 4
	b.store.Write([]store.Op{{Key: key, Value: value}}, func(err error) { require.NoError(b.t, err) })
	b.store.Sync()
}

func TestDamagedRecordIsNeitherServedNorVotedWith(t *testing.T) {
	b := newBench(t)
	b.ask(accept(asW, "k", rec(1, "x")))
	b.ask(accept(asW, "fine", rec(1, "y")))
	b.spoil(recordKey(asW, "k"))
	for _, q := range []register.Request{
		read(asW, "k"), prepare(asW, "k", 9), accept(asW, "k", rec(1, "x")), accept(asW, "k", rec(9, "z")),
	} {
		require.Equal(t, register.Reply{Verdict: register.VerdictUnable}, b.ask(q), q.Kind)
	}
	require.Equal(t, int64(4), b.Status().Unreadable)
	require.Equal(t, "y", string(b.ask(read(asW, "fine")).Record.Doc))
	hints, err := b.Hints(asW, "", 10)
	require.NoError(t, err)
	require.Equal(t, []register.Hint{{Key: "fine", Record: rec(1, "y")}}, hints)

	b.crash(0)
	require.Equal(t, int64(1), b.Status().Hints[int(asW)].Records)
}

func TestDamagedStateIsNoStart(t *testing.T) {
	for _, key := range [][]byte{stateKey(asD1), metaKey()} {
		b := newBench(t)
		b.ask(prepare(asD1, "k", 1))
		b.spoil(key)
		b.disk.Crash()
		st, err := mem.OpenManual(b.disk)
		require.NoError(t, err)
		_, err = Open(testConfig(t, 2), st)
		require.ErrorIs(t, err, ErrChecksum)
		require.ErrorIs(t, err, store.ErrDamaged, "so that the node is rebuilt")
	}
}

func TestCountersTellRoles(t *testing.T) {
	b := newBench(t)
	b.ask(read(asD1, "k"))
	b.ask(read(asW, "k"))
	b.ask(prepare(asW, "k", 1))
	b.ask(accept(asD2, "k", rec(1, "x")))
	b.serve(register.Request{Kind: register.KindChosen, Partition: asD2, Key: "k", Ballot: ballot(1)})
	b.serve(register.Request{Kind: 200, Partition: asD2, Key: "k"})
	s := b.Status()
	require.Equal(t, Messages{Read: 1, Accept: 1, Chosen: 1}, s.AsData)
	require.Equal(t, Messages{Read: 1, Prepare: 1}, s.AsWitness)
	require.Equal(t, int64(1), s.Data.Records)
	require.Empty(t, s.Hints)
	require.Equal(t, Life{Incarnation: 1, Boots: 1, Beat: 1, Starts: Starts{1: 1 << 32}}, s.Identity.Lives[0])
}

// An old copy of a disk whose hellos get lost must not look like the disk in the end.
func TestBeatIsRaisedOnlyOnceAdmitted(t *testing.T) {
	b := newBench(t)
	shown := func() (beat uint64) {
		b.Show(func(l Life, err error) { require.NoError(t, err); beat = l.Beat })
		b.store.Sync()
		return beat
	}
	b.ask(accept(asD1, "k", rec(1, "x")))
	first := shown()
	require.Equal(t, first, shown(), "nothing was written since")
	b.ask(accept(asD1, "k", rec(2, "y")))
	require.Equal(t, first+1, shown())

	b.disk.Crash()
	b.start()
	b.write([]store.Op{{Key: recordKey(asD1, "k")}}, func(err error) { require.NoError(t, err) })
	require.Equal(t, first+1, shown(), "not admitted since the start")
	b.Admit()
	require.Equal(t, first+2, shown())
}
