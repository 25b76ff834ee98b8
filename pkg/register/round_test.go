package register

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// harness is a round with a proposer and epochs of its own.
type harness struct {
	*Round
	proposer *testProposer
	ballots  map[Ballot]bool // of its prepares
}

func newHarness(spec Spec) *harness {
	p := &testProposer{world: &world{now: 100}, clock: NewClock(1)}
	spec.Key, spec.Order = "k", [Seats]int{SeatD1, SeatD2, SeatW}
	return &harness{NewRound(spec, p, &p.known), p, map[Ballot]bool{}}
}

func appendX(old []byte) ([]byte, error) { return append(slices.Clip(old), 'x'), nil }

// anyReply draws a reply as it might come from a sound acceptor, or get lost.
func anyReply(t *rapid.T, q Request) Reply {
	r := Reply{Verdict: rapid.SampledFrom([]Verdict{
		VerdictYes, VerdictYes, VerdictYes, VerdictRefused, VerdictUnable, VerdictFull, VerdictStale, VerdictLost, VerdictUnsent,
	}).Draw(t, "verdict")}
	if r.Verdict == VerdictFull && !q.Grows {
		r.Verdict = VerdictUnable
	}
	r.Sole = rapid.Bool().Draw(t, "sole")
	switch r.Verdict {
	case VerdictYes:
		r.Epoch = rapid.Uint64Range(1, 2).Draw(t, "epoch")
		limit := q.Ballot.Time - 1 // what is held is below what is promised
		if q.Kind == KindRead {
			limit = 50
		}
		if b := rapid.Int64Range(0, 3).Draw(t, "held"); b > 0 && b <= limit {
			r.Record = Record{Ballot: at(b), Op: at(1), Doc: []byte("d")}
			r.Chosen = rapid.Bool().Draw(t, "chosen")
		}
	case VerdictRefused:
		r.Highest = at(rapid.Int64Range(1, 1000).Draw(t, "highest"))
	case VerdictStale:
		for seat := range r.Disks {
			r.Disks[seat] = rapid.Uint32Range(0, 3).Draw(t, "disk")
		}
	case VerdictUnable, VerdictFull, VerdictLost, VerdictUnsent:
	}
	return r
}

// TestRoundWithAnyReplies: whatever comes back, in whatever order, with hedges,
// pauses and an end at any moment, a round keeps its bounds, uses no ballot twice
// and says done only after two yes to one accept.
func TestRoundWithAnyReplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{}
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			spec.Change = appendX
			spec.Grows = rapid.Bool().Draw(t, "grows")
		case 1:
			spec.Rewrite = true
		}
		h := newHarness(spec)
		open := h.Start()
		open = append([]Send(nil), open...)
		var old []Send
		yes := map[Ballot]map[int]bool{}
		h.check(t, open, spec)
		total := len(open)
		for steps := 0; !h.Done(); steps++ {
			require.Less(t, steps, 3000, "it does not end")
			tag := h.Tag()
			doubted := h.resolving
			var sends []Send
			switch n := rapid.IntRange(0, 19).Draw(t, "step"); {
			case n == 0:
				sends = h.Hedge()
			case n == 1 && len(old) > 0: // an answer that comes late, or twice
				s := rapid.SampledFrom(old).Draw(t, "old")
				sends = h.Reply(s.Seat, s.Tag, anyReply(t, s.Request))
			case n == 2 && rapid.IntRange(0, 9).Draw(t, "end") == 0:
				h.Expire()
			case len(open) == 0:
				sends = h.Resume()
				if len(sends) == 0 && !h.Done() {
					sends = h.Hedge()
				}
			default:
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				s := open[i]
				open = append(open[:i:i], open[i+1:]...)
				old = append(old, s)
				reply := anyReply(t, s.Request)
				if s.Request.Kind == KindAccept && reply.Verdict == VerdictYes && s.Tag == tag {
					b := s.Request.Record.Ballot
					if yes[b] == nil {
						yes[b] = map[int]bool{}
					}
					yes[b][s.Seat] = true
				}
				sends = h.Reply(s.Seat, s.Tag, reply)
			}
			if doubted && !h.resolving && !h.Done() {
				delete(yes, h.op) // it was passed over: whoever took it, it is not applied
			}
			h.check(t, sends, spec)
			total += len(sends)
			for _, s := range sends {
				if !s.Lazy {
					open = append(open, s)
				}
			}
		}
		require.LessOrEqual(t, h.attempts, maxAttempts)
		require.LessOrEqual(t, total, maxAttempts*(2*Seats+maxRereads+4))
		h.judge(t, spec, yes)
		require.Empty(t, h.Hedge(), "a round that ended sends nothing")
		require.Empty(t, h.Resume())
	})
}

// check looks at what a round sends.
func (h *harness) check(t *rapid.T, sends []Send, spec Spec) {
	for _, s := range sends {
		require.Equal(t, "k", s.Request.Key)
		require.True(t, s.Seat >= 0 && s.Seat < Seats)
		switch s.Request.Kind {
		case KindPrepare:
			b := s.Request.Ballot
			if h.poll.asked[s.Seat] && b != h.ballot {
				t.Fatalf("a prepare at %s in the attempt of %s", b, h.ballot)
			}
			h.ballots[b] = true
		case KindAccept:
			r := s.Request.Record
			require.False(t, r.Blank(), "a blank is proposed")
			require.False(t, r.Ballot.Less(r.Op))
			if r.Op == r.Ballot && h.ballots[r.Ballot] {
				require.NotNil(t, spec.Change, "a fresh op id without a change")
			}
		case KindRead, KindChosen:
		case KindBar, KindCollect:
			t.Fatalf("a round sends %s", s.Request.Kind)
		}
	}
}

func (h *harness) judge(t *rapid.T, spec Spec, yes map[Ballot]map[int]bool) {
	rec, err := h.Outcome()
	switch {
	case err == nil && spec.Change != nil && rec.Op == rec.Ballot && h.ballots[rec.Ballot] && !h.resolving:
		require.Len(t, yes[rec.Ballot], 2, "done without two yes")
	case err == nil:
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrUnknown), errors.Is(err, ErrNoSpace):
		require.Equal(t, Record{}, rec)
		if errors.Is(err, ErrNoSpace) {
			require.True(t, spec.Grows, "only what grows needs room")
		}
		if !errors.Is(err, ErrUnknown) {
			require.Empty(t, yes[h.op], "taken by one: that is not certain")
		}
		if errors.Is(err, ErrUnknown) {
			require.NotNil(t, spec.Change, "a read is never unknown")
		}
	default:
		t.Fatalf("ended with %v", err)
	}
}

// A round gives up by itself when acceptors answer and never agree.
func TestRoundEndsByItself(t *testing.T) {
	for name, reply := range map[string]Reply{
		"refused":      {Verdict: VerdictRefused},
		"unable":       {Verdict: VerdictUnable},
		"lost":         {Verdict: VerdictLost},
		"never left":   {Verdict: VerdictUnsent},
		"out of reach": {Verdict: VerdictRefused, Highest: at(1 << 40)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(Spec{Change: appendX})
			open := append([]Send(nil), h.Start()...)
			for steps := 0; !h.Done(); steps++ {
				require.Less(t, steps, 1000)
				if len(open) == 0 {
					open = append(open, h.Resume()...)
					continue
				}
				s := open[0]
				open = append(open[1:], h.Reply(s.Seat, s.Tag, reply)...)
			}
			_, err := h.Outcome()
			require.ErrorIs(t, err, ErrUnavailable)
		})
	}
}

// Without an answer at all, hedges alone bring the end.
func TestHedgesBringTheEnd(t *testing.T) {
	for _, change := range []Change{nil, appendX} {
		h := newHarness(Spec{Change: change})
		h.Start()
		hedges := 0
		for ; !h.Done(); hedges++ {
			require.Less(t, hedges, 100)
			h.Hedge()
			h.Resume()
		}
		_, err := h.Outcome()
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, maxNoQuorum*lostHedges, hedges)
	}
}

func TestExpireIsFinal(t *testing.T) {
	h := newHarness(Spec{})
	sends := append([]Send(nil), h.Start()...)
	h.Expire()
	require.True(t, h.Done())
	for _, s := range sends {
		require.Empty(t, h.Reply(s.Seat, s.Tag, Reply{Verdict: VerdictYes}))
	}
	h.Expire()
	_, err := h.Outcome()
	require.ErrorIs(t, err, ErrUnavailable)
}

// A hedge prefers the other seats from then on.
func TestLateSeatsAreAskedLast(t *testing.T) {
	h := newHarness(Spec{})
	h.Start()
	require.False(t, h.ThirdAsked())
	h.Reply(SeatD2, h.Tag(), Reply{Verdict: VerdictYes, Epoch: 1})
	sends := h.Hedge()
	require.Len(t, sends, 1)
	require.Equal(t, SeatW, sends[0].Seat)
	require.True(t, h.ThirdAsked())
	require.Equal(t, [Seats]int{SeatD2, SeatW, SeatD1}, h.spec.Order)
}

// Only an answer that was sent once is proof.
func TestProofOfNotApplied(t *testing.T) {
	for verdict, proof := range map[Verdict][2]bool{ // by Sole
		VerdictYes:     {false, false},
		VerdictRefused: {false, true},
		VerdictUnable:  {false, true},
		VerdictFull:    {false, true},
		VerdictLost:    {false, false},
		VerdictUnsent:  {true, true},
	} {
		require.Equal(t, proof[0], Reply{Verdict: verdict}.provesNotApplied(), verdict)
		require.Equal(t, proof[1], Reply{Verdict: verdict, Sole: true}.provesNotApplied(), verdict)
	}
}
