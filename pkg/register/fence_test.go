package register

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFenceIsTight: it covers all that was promised, accepted or is the floor,
// and not the horizon, which a clock that is ahead puts out of the others' reach.
func TestFenceIsTight(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{Floor: at(5)}, Group{}, 1)
	require.Equal(t, at(5), a.Fence(SeatD2, 1))
	p := prepare("k", at(1000))
	p.Disks = Incarnations{0, 1, 0}
	reply, _ := a.Step(1000, p, Record{})
	require.Equal(t, VerdictYes, reply.Verdict)
	require.Equal(t, at(1000), a.Fence(SeatD2, 2))
	q := accept("l", record(at(2000), "x"))
	q.Disks = Incarnations{0, 2, 0}
	reply, _ = a.Step(1000, q, Record{})
	require.Equal(t, VerdictYes, reply.Verdict)
	require.Equal(t, at(2000), a.Fence(SeatD2, 3))

	crashed := NewAcceptor(SeatD1, a.Durable(), a.Group(), 2)
	require.False(t, crashed.Fence(SeatD2, 4).Less(at(2000)))
	sealed := NewAcceptor(SeatD1, a.Seal(), a.Group(), 3)
	require.False(t, sealed.Fence(SeatD2, 4).Less(at(2000)))
}

func TestOlderDisksAreStale(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{Disks: Incarnations{1, 1, 1}}, 1)
	a.Fence(SeatW, 2)
	for _, q := range []Request{prepare("k", at(5)), accept("k", record(at(5), "x")), {Kind: KindRead, Key: "k"}} {
		q.Disks = Incarnations{1, 1, 1}
		reply, effects := a.Step(0, q, Record{})
		require.Equal(t, Reply{Verdict: VerdictStale, Disks: Incarnations{1, 1, 2}}, reply)
		require.Equal(t, Effects{}, effects)
		q.Disks[SeatW] = 2
		reply, _ = a.Step(0, q, Record{})
		require.Equal(t, VerdictYes, reply.Verdict)
	}
}

// TestNothingIsForgottenWhileOneIsJoining, neither a hint nor a tombstone.
func TestNothingIsForgottenWhileOneIsJoining(t *testing.T) {
	dead := Record{Ballot: at(5), Op: at(5), Tombstone: true}
	disks := Incarnations{1, 1, 2}
	for _, joining := range []bool{true, false} {
		group := Group{Disks: disks}
		group.Joining[SeatD2] = joining
		w := NewAcceptor(SeatW, Durable{}, group, 1)
		require.Equal(t, !joining, w.Forget("k", at(5), disks, dead))
		reply, _ := w.Step(0, Request{Kind: KindBar, Key: "k", Ballot: at(5), Disks: disks}, Record{})
		require.Equal(t, !joining, reply.Verdict == VerdictYes)
		d1 := NewAcceptor(SeatD1, Durable{}, group, 1)
		reply, effects := d1.Step(0, Request{Kind: KindCollect, Key: "k", Ballot: at(5), Disks: disks}, dead)
		require.Equal(t, !joining, reply.Verdict == VerdictYes)
		require.Equal(t, !joining, effects.Drop && effects.State)
	}
	w := NewAcceptor(SeatW, Durable{}, Group{Disks: disks}, 1)
	require.False(t, w.Forget("k", at(5), Incarnations{1, 1, 1}, dead), "delivered to a disk that was lost since")
}
