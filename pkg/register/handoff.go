package register

// Hint is a record that a witness keeps because a data replica of the partition
// may lack it. It is a full vote and a full value.
type Hint struct {
	Key    string
	Record Record
}

// Handoff brings one batch of a witness's hints to both data replicas. It is
// driven like a Round: Start, then Reply once for each send.
//
// Invariant: a hint is delivered only when both data replicas hold at least its
// ballot, synced.
type Handoff struct {
	partition uint16
	disks     Incarnations
	hints     []Hint
	states    [][2]delivery // by hint and data replica
	waiting   int
}

type delivery uint8

const (
	deliveryOpen    delivery = iota // not answered
	deliveryHeld                    // holds the hint's ballot or a higher one
	deliveryRefused                 // holds a lower one or none, and may not take this
	deliveryFull                    // has no room for it now
)

// NewHandoff prepares the delivery of hints, all of one partition, to the group
// that the witness knows.
func NewHandoff(partition uint16, disks Incarnations, hints []Hint) *Handoff {
	return &Handoff{partition: partition, disks: disks, hints: hints, states: make([][2]delivery, len(hints))}
}

// Start returns each hint, as the accept that it was, for both data replicas.
// The tag of a send is its hint's index.
func (h *Handoff) Start() []Send {
	sends := make([]Send, 0, 2*len(h.hints))
	for i, hint := range h.hints {
		for seat := SeatD1; seat <= SeatD2; seat++ {
			q := Request{Kind: KindAccept, Partition: h.partition, Key: hint.Key, Record: hint.Record, Disks: h.disks, Grows: !hint.Record.Tombstone}
			sends = append(sends, Send{Seat: seat, Tag: uint32(i), Request: q})
		}
	}
	h.waiting = len(sends)
	return sends
}

// Reply takes the answer of a data replica to the send with that tag.
func (h *Handoff) Reply(seat int, tag uint32, reply Reply) {
	h.waiting--
	d := &h.states[tag][seat]
	switch {
	case reply.Verdict == VerdictYes:
		*d = deliveryHeld
	case reply.Verdict == VerdictFull:
		*d = deliveryFull
	case reply.Verdict != VerdictRefused:
		// No answer: it is tried again with a later batch.
	case reply.Held.Less(h.hints[tag].Record.Ballot):
		*d = deliveryRefused
	default:
		*d = deliveryHeld
	}
}

// Done reports whether every send was answered.
func (h *Handoff) Done() bool { return h.waiting == 0 }

// Delivered returns the hints that the witness may forget.
func (h *Handoff) Delivered() []Hint {
	var out []Hint
	for i, s := range h.states {
		if s == [2]delivery{deliveryHeld, deliveryHeld} {
			out = append(out, h.hints[i])
		}
	}
	return out
}

// WaitsForRoom reports whether some hint is for a data replica whose disk is
// full. It is to be tried again, not in haste.
func (h *Handoff) WaitsForRoom() bool {
	for _, s := range h.states {
		if s[SeatD1] == deliveryFull || s[SeatD2] == deliveryFull {
			return true
		}
	}
	return false
}

// Refused returns the hints that a promise or a floor keeps from the data
// replica at the returned seat. A Round with Rewrite, the replica first and the
// witness second in its order, brings them there at a fresh ballot; then the
// handoff is to look again.
func (h *Handoff) Refused() (hints []Hint, seats []int) {
	for i, s := range h.states {
		for seat := SeatD1; seat <= SeatD2; seat++ {
			if s[seat] == deliveryRefused {
				hints = append(hints, h.hints[i])
				seats = append(seats, seat)
				break
			}
		}
	}
	return hints, seats
}
