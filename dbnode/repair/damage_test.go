package repair_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/dbnode/repair/mocks"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// damagedNode is a node with damaged records, which go when an accept replaces them.
type damagedNode struct {
	left    []register.Damage
	answer  register.Reply // to accepts
	accepts []register.Request
}

func (d *damagedNode) Damaged() []register.Damage { return append([]register.Damage(nil), d.left...) }

func (d *damagedNode) Disks(uint16) register.Incarnations { return disks }

func (d *damagedNode) Serve(requests []register.Request, done func([]register.Reply)) {
	d.accepts = append(d.accepts, requests...)
	if d.answer.Verdict == 0 {
		done(nil)
		return
	}
	if d.answer.Verdict == register.VerdictYes {
		for i := range d.left {
			if d.left[i].Key == requests[0].Key {
				d.left = append(d.left[:i:i], d.left[i+1:]...)
				break
			}
		}
	}
	done([]register.Reply{d.answer})
}

type menderFixture struct {
	*replicas
	node   *damagedNode
	rounds *mocks.Rounds
	mender *repair.Mender
}

// newMender is node 2: D1 of partition 2, D2 of partition 1, witness of partition 0.
func newMender(t *testing.T, damaged ...register.Damage) menderFixture {
	t.Helper()
	places, err := placement.New(3)
	require.NoError(t, err)
	f := menderFixture{&replicas{}, &damagedNode{left: damaged, answer: register.Reply{Verdict: register.VerdictYes}}, mocks.NewRounds(t), nil}
	f.mender = repair.NewMender(2, places, f.node, f, f.rounds, slog.New(slog.DiscardHandler))
	return f
}

var bar = register.Ballot{Time: 77}

func damage(partition uint16, key string) register.Damage {
	return register.Damage{Partition: partition, Key: key, Bar: bar}
}

// TestMenderSettlesWithTheOthers: the round goes to the two other seats, above the
// bar, and its outcome is accepted here, under the disks known before it.
func TestMenderSettlesWithTheOthers(t *testing.T) {
	settled := register.Record{Ballot: register.Ballot{Time: 80, Proposer: 1}, Op: register.Ballot{Time: 9, Proposer: 1}, Doc: []byte("x")}
	for partition, others := range [][]int{
		{register.SeatD1, register.SeatD2}, {register.SeatD1, register.SeatW}, {register.SeatD2, register.SeatW},
	} {
		f := newMender(t, damage(uint16(partition), "k"))
		f.rounds.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(func(_ context.Context, q drive.Request) (drive.Result, error) {
			q.Deadline = drive.Request{}.Deadline
			require.Equal(t, drive.Request{Key: "k", Rewrite: true, Fill: true, Above: bar, Prefer: others}, q)
			return drive.Result{Record: settled}, nil
		}).Once()
		_, err := f.mender.Step(t.Context())
		require.NoError(t, err)
		require.Equal(t, []register.Request{{
			Kind: register.KindAccept, Partition: uint16(partition), Key: "k", Record: settled, Disks: disks,
		}}, f.node.accepts)
		busy, err := f.mender.Step(t.Context())
		require.NoError(t, err)
		require.False(t, busy)
	}
}

// TestMenderTakesTurns: one that can't be repaired doesn't keep others waiting, and
// is tried again.
func TestMenderTakesTurns(t *testing.T) {
	var damaged []register.Damage
	for range 40 { // more than one batch
		damaged = append(damaged, damage(0, string(rune('A'+len(damaged)))))
	}
	f := newMender(t, damaged...)
	failing := errors.New("no quorum")
	f.rounds.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(func(_ context.Context, q drive.Request) (drive.Result, error) {
		if q.Key == "A" {
			return drive.Result{}, failing
		}
		return drive.Result{}, nil
	})
	_, err := f.mender.Step(t.Context())
	require.ErrorIs(t, err, failing)
	require.Len(t, f.node.left, 9, "a batch of 32, of which one failed")
	busy, err := f.mender.Step(t.Context())
	require.NoError(t, err)
	require.True(t, busy)
	require.Equal(t, damaged[:1], f.node.left)
	busy, _ = f.mender.Step(t.Context())
	require.False(t, busy)
	_, err = f.mender.Step(t.Context())
	require.ErrorIs(t, err, failing, "from the start again")
}

// TestMenderWaitsForBothOthers, for no fewer are a quorum.
func TestMenderWaitsForBothOthers(t *testing.T) {
	f := newMender(t, damage(1, "k"))
	f.down[0] = true
	_, err := f.mender.Step(t.Context()) // the mock expects no round
	require.NoError(t, err)
	require.Len(t, f.node.left, 1)
}

// TestMenderSaysWhatWasNotTaken.
func TestMenderSaysWhatWasNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		answer register.Reply
		fails  bool
	}{
		"unable":           {register.Reply{Verdict: register.VerdictUnable}, true},
		"stopped":          {register.Reply{}, true},
		"refused by floor": {register.Reply{Verdict: register.VerdictRefused}, true},
		"a newer one":      {register.Reply{Verdict: register.VerdictRefused, Held: register.Ballot{Time: 99}}, false},
	} {
		f := newMender(t, damage(1, "k"))
		f.node.answer = c.answer
		f.rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{}, nil).Once()
		_, err := f.mender.Step(t.Context())
		require.Equal(t, c.fails, err != nil, name)
	}
}

// shelf is a partition's worth of records to scrub.
type shelf struct {
	left  [3]int // records by partition
	reads []string
	err   error
}

func (s *shelf) Check(partition uint16, after string, limit, _ int) (last string, checked int, more bool, err error) {
	s.reads = append(s.reads, string(rune('0'+partition))+after)
	if s.err != nil && partition == 1 {
		return "", 0, false, s.err
	}
	n := min(s.left[partition], limit)
	s.left[partition] -= n
	return "x", n, s.left[partition] > 0, nil
}

// TestScrubGoesThroughAll in batches, and on over what can't be read.
func TestScrubGoesThroughAll(t *testing.T) {
	places, err := placement.New(3)
	require.NoError(t, err)
	s := &shelf{left: [3]int{300, 5, 0}}
	scrub := repair.NewScrub(places, s)
	for range 4 {
		busy, err := scrub.Step(t.Context())
		require.NoError(t, err)
		require.False(t, busy, "the pause is its rate")
	}
	require.Equal(t, []string{"0", "0x", "1", "2"}, s.reads)
	require.Equal(t, int64(1), scrub.Passes.Load())
	require.Equal(t, int64(305), scrub.Checked.Load())
	require.Positive(t, scrub.Last.Load())

	s.err, s.reads = errors.New("bad block"), nil
	for range 3 {
		_, err = scrub.Step(t.Context())
		if err != nil {
			require.ErrorIs(t, err, s.err)
		}
	}
	require.Equal(t, []string{"0", "1", "2"}, s.reads)
}
