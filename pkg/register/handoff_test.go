package register

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHandoffVerdicts: what each pair of answers makes of a hint.
func TestHandoffVerdicts(t *testing.T) {
	hint := Hint{"k", record(at(5), "x")}
	disks := Incarnations{1, 2, 3}
	yes := Reply{Verdict: VerdictYes}
	higher := Reply{Verdict: VerdictRefused, Held: at(6)}
	equal := Reply{Verdict: VerdictRefused, Held: at(5)}
	lower := Reply{Verdict: VerdictRefused, Held: at(4), Highest: at(9)}
	blank := Reply{Verdict: VerdictRefused, Highest: at(9)}
	lost := Reply{Verdict: VerdictLost}
	full := Reply{Verdict: VerdictFull}
	unable := Reply{Verdict: VerdictUnable}
	for _, c := range []struct {
		name      string
		d1, d2    Reply
		delivered bool
		refused   int // the seat, or -1
	}{
		{"both took it", yes, yes, true, -1},
		{"one holds a higher one", yes, higher, true, -1},
		{"both do", higher, equal, true, -1},
		{"one holds a lower one", yes, lower, false, SeatD2},
		{"one holds none", blank, yes, false, SeatD1},
		{"both refuse", blank, lower, false, SeatD1},
		{"no answer", yes, lost, false, -1},
		{"none from either", unable, lost, false, -1},
		{"no room at one", yes, full, false, -1},
		{"no room at one, a higher one at the other", higher, full, false, -1},
		{"no answer and a refusal", lost, lower, false, SeatD2},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := NewHandoff(3, disks, []Hint{hint})
			for _, s := range h.Start() {
				require.Equal(t, Request{Kind: KindAccept, Partition: 3, Key: "k", Record: hint.Record, Disks: disks, Grows: true}, s.Request)
				require.False(t, h.Done())
				h.Reply(s.Seat, s.Tag, [Seats]Reply{c.d1, c.d2}[s.Seat])
			}
			require.True(t, h.Done())
			require.Equal(t, c.delivered, len(h.Delivered()) == 1)
			require.Equal(t, c.d2.Verdict == VerdictFull, h.WaitsForRoom())
			hints, seats := h.Refused()
			if c.refused < 0 {
				require.Empty(t, hints)
				return
			}
			require.Equal(t, []Hint{hint}, hints)
			require.Equal(t, []int{c.refused}, seats)
		})
	}
}

func TestHandoffKeepsHintsApart(t *testing.T) {
	hints := []Hint{{"a", record(at(1), "a")}, {"b", record(at(2), "b")}, {"c", record(at(3), "c")}}
	h := NewHandoff(0, Incarnations{}, hints)
	sends := h.Start()
	require.Len(t, sends, 6)
	for _, s := range slices.Backward(sends) { // in any order
		require.Contains(t, []int{SeatD1, SeatD2}, s.Seat)
		reply := Reply{Verdict: VerdictYes}
		if s.Request.Key == "b" && s.Seat == SeatD2 {
			reply = Reply{Verdict: VerdictRefused}
		}
		h.Reply(s.Seat, s.Tag, reply)
	}
	require.Equal(t, []Hint{hints[0], hints[2]}, h.Delivered())
	refused, seats := h.Refused()
	require.Equal(t, []Hint{hints[1]}, refused)
	require.Equal(t, []int{SeatD2}, seats)
}

// A tombstone lets data shrink: a full replica takes it.
func TestHandoffOfTombstonesNeedsNoRoom(t *testing.T) {
	h := NewHandoff(0, Incarnations{}, []Hint{{"k", Record{Ballot: at(1), Op: at(1), Tombstone: true}}})
	for _, s := range h.Start() {
		require.False(t, s.Request.Grows)
	}
}

func TestEmptyHandoffIsDone(t *testing.T) {
	h := NewHandoff(0, Incarnations{}, nil)
	require.Empty(t, h.Start())
	require.True(t, h.Done())
	require.Empty(t, h.Delivered())
}
