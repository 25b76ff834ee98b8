package register

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// flood has a seat promise ballots for other keys, until those of before are pushed out.
func (w *world) flood(seat int) {
	for i := range MaxPromises {
		w.now++
		b := Ballot{Time: w.now, Proposer: 98}
		reply := w.step(seat, Request{Kind: KindPrepare, Key: fmt.Sprintf("other-%d", i), Ballot: b, Disks: w.seats[seat].acceptor.Group().Disks})
		require.Equal(w.t, VerdictYes, reply.Verdict)
	}
	w.printf("%s's floor is %s\n", seatNames[seat], showBallot(w.seats[seat].acceptor.durable.Floor))
}

// collect takes one step of collecting the tombstone that D1 holds.
func (w *world) collect(seat int, kind Kind) {
	d1 := w.seats[SeatD1]
	if !w.seats[seat].up {
		w.printf("%s is down\n", seatNames[seat])
		return
	}
	q := Request{Kind: kind, Key: scenarioKey, Ballot: d1.records[scenarioKey].Ballot, Disks: d1.acceptor.Group().Disks}
	w.printf("%s replies: %s\n", seatNames[seat], showReply(KindAccept, w.step(seat, q)))
}

// wipe leaves a seat with a blank disk, which nobody knows of yet.
func (w *world) wipe(seat int) {
	s := w.seats[seat]
	s.group.Disks[seat]++
	s.group.Joining[seat] = true
	s.records, s.durable, s.damaged = map[string]Record{}, Durable{}, false
	w.start(seat)
}

// fence has the other two record the disk of a seat.
func (w *world) fence(seat int) {
	s := w.seats[seat]
	for other := range w.seats {
		if other == seat {
			continue
		}
		o := w.seats[other]
		b := o.acceptor.Fence(seat, s.group.Disks[seat])
		o.group = o.acceptor.Group()
		s.acceptor.Join(b)
		w.printf("%s's fence is %s\n", seatNames[other], showBallot(b))
	}
	s.durable = s.acceptor.Durable()
}

// copy brings what one seat holds to one that is joining.
func (w *world) copy(from, to int) {
	rec, t := w.seats[from].records[scenarioKey], w.seats[to]
	effects := t.acceptor.Copy(w.now, rec, t.records[scenarioKey])
	if effects.Put {
		t.records[scenarioKey] = rec
	}
	if effects.State {
		t.durable = t.acceptor.Durable()
	}
	w.printf("%s copies: %v\n", seatNames[to], effects.Put)
}

// rebuilt ends the joining of a seat.
func (w *world) rebuilt(seat int) {
	incarnation := w.seats[seat].group.Disks[seat]
	for _, s := range w.seats {
		s.acceptor.Rebuilt(seat, incarnation)
		s.group = s.acceptor.Group()
	}
}

// mend settles the record of a damaged seat with the other two, above its bar.
func (w *world) mend(seat int) {
	s := w.seats[seat]
	spec := Spec{Rewrite: true, Fill: true, Order: [Seats]int{(seat + 1) % Seats, (seat + 2) % Seats, seat}}
	w.proposer(9).Observe(s.bar)
	w.proposer(9).known.disks = s.acceptor.Group().Disks
	w.begin("mend", spec, 9)
	w.run(w.ops["mend"])
	rec, err := w.ops["mend"].round.Outcome()
	require.NoError(w.t, err)
	q := Request{Kind: KindAccept, Key: scenarioKey, Record: rec, Disks: s.acceptor.Group().Disks}
	w.printf("%s replies: %s\n", seatNames[seat], showReply(KindAccept, w.step(seat, q)))
}
