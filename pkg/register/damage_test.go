package register

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDamagedRecordIsReplacedAtTheBar, and below it nothing is answered.
func TestDamagedRecordIsReplacedAtTheBar(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	_, effects := a.Step(10, accept("k", record(at(10), "x")), Record{})
	require.True(t, effects.Put)
	bar := a.DamageBar()
	for _, q := range []Request{
		{Kind: KindRead, Key: "k"},
		prepare("k", Ballot{Time: bar.Time + 1, Proposer: 1}),
		accept("k", record(at(10), "x")),
		accept("k", record(at(bar.Time-1), "y")),
		{Kind: KindChosen, Key: "k", Ballot: at(10)},
		{Kind: KindBar, Key: "k", Ballot: at(10)},
		{Kind: KindCollect, Key: "k", Ballot: at(10)},
	} {
		reply, effects := a.StepDamaged(10, q, bar)
		require.Equal(t, Reply{Verdict: VerdictUnable}, reply, q.Kind)
		require.Equal(t, Effects{}, effects, q.Kind)
	}
	reply, effects := a.StepDamaged(10, accept("k", record(bar, "y")), bar)
	require.Equal(t, VerdictYes, reply.Verdict)
	require.Equal(t, Effects{Put: true, State: true}, effects)

	stale := accept("k", record(bar, "y"))
	a.Fence(SeatW, 1)
	reply, _ = a.StepDamaged(10, stale, bar)
	require.Equal(t, VerdictStale, reply.Verdict, "a whole one would refuse it, too")
}

// TestCopyDoesNotReplaceADamagedRecord: what was accepted while joining counts.
func TestCopyDoesNotReplaceADamagedRecord(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{Joining: [Seats]bool{true}}, 1)
	_, effects := a.Step(10, accept("k", record(at(10), "x")), Record{})
	require.True(t, effects.Put)
	bar := a.DamageBar()
	require.Equal(t, Effects{}, a.CopyDamaged(10, record(at(9), "w"), bar))
	require.True(t, a.CopyDamaged(10, record(bar, "y"), bar).Put)
}

// TestFillWritesATombstone where both that promised hold nothing, and otherwise
// writes back what is there.
func TestFillWritesATombstone(t *testing.T) {
	for _, held := range []Record{{}, record(at(5), "x"), {Ballot: at(5), Op: at(5), Tombstone: true}} {
		h := newHarness(Spec{Rewrite: true, Fill: true})
		h.proposer.known = testKnowledge{epochs: [Seats]uint64{1, 1, 1}}
		var sends []Send
		for _, s := range append([]Send(nil), h.Start()...) {
			sends = h.Reply(s.Seat, s.Tag, Reply{Verdict: VerdictYes, Epoch: 1, Record: held, Chosen: true})
		}
		require.Len(t, sends, 2)
		want := held
		want.Ballot = sends[0].Request.Record.Ballot
		if held.Blank() {
			want.Op, want.Tombstone = want.Ballot, true
		}
		for _, s := range append([]Send(nil), sends...) {
			require.Equal(t, want, s.Request.Record)
			h.Reply(s.Seat, s.Tag, Reply{Verdict: VerdictYes})
		}
		got, err := h.Outcome()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
