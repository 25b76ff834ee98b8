package sim

import "github.com/dyad-db/dyad/pkg/register"

const (
	handoffBatch   = 4                // hints forwarded at once
	handoffTimeout = 40 * millisecond // after which a forward counts as lost
)

// handing is a batch of hints on its way to the data replicas.
type handing struct {
	*register.Handoff
	partition uint16
	disks     register.Incarnations
	answered  map[handed]bool
}

type handed struct {
	seat int
	tag  uint32
}

// handOff starts to deliver some of the node's hints, if it holds any.
func (n *node) handOff() {
	if !n.up || n.handing != nil || n.rewriting > 0 {
		return
	}
	partition, hints := n.someHints()
	if len(hints) == 0 {
		return
	}
	disks := n.replica.Disks(partition)
	h := &handing{register.NewHandoff(partition, disks, hints), partition, disks, map[handed]bool{}}
	n.handing = h
	group := n.sim.places.Group(int(partition))
	alive := n.alive()
	take := func(to handed, r register.Reply) {
		if h.answered[to] || !alive() {
			return
		}
		h.answered[to] = true
		h.Reply(to.seat, to.tag, r)
		if h.Done() {
			n.sim.after(n.sim.spread(100), func() {
				if alive() {
					n.handedOff(h)
				}
			})
		}
	}
	sends := h.Start()
	for _, send := range sends {
		to := handed{send.Seat, send.Tag}
		n.sim.send(n.id, group[send.Seat], send.Request, func(r register.Reply) { take(to, r) })
	}
	n.sim.after(handoffTimeout, func() {
		for _, send := range sends {
			take(handed{send.Seat, send.Tag}, register.Reply{Verdict: register.VerdictLost})
		}
	})
}

// someHints returns hints of one of the partitions that the node is witness of.
func (n *node) someHints() (uint16, []register.Hint) {
	count := n.sim.profile.partitions
	first := n.sim.rng.IntN(count)
	for i := range count {
		p := (first + i) % count
		if n.sim.places.Seat(p, n.id) != register.SeatW {
			continue
		}
		hints, err := n.replica.Hints(uint16(p), "", handoffBatch)
		if err != nil {
			panic(err)
		}
		if len(hints) > 0 {
			return uint16(p), hints
		}
	}
	return 0, nil
}

func (n *node) countHints() int {
	_, hints := n.someHints()
	return len(hints)
}

// handedOff forgets what arrived, and rewrites what a floor or a promise keeps out.
func (n *node) handedOff(h *handing) {
	n.handing = nil
	delivered := h.Delivered()
	if n.sim.out != nil {
		for _, hint := range delivered {
			n.sim.tracef("n%d may forget %s %s", n.id, hint.Key, describeRecord(hint.Record))
		}
	}
	for i := range delivered {
		n.vows.free(delivered[i].Key, delivered[i].Record.Ballot)
	}
	joining := n.replica.AnyJoining(h.partition)
	n.replica.Forget(h.partition, h.disks, delivered, func(forgotten int, err error) {
		n.forgot(forgotten, len(delivered), joining)
		if n.sim.out != nil {
			n.sim.tracef("n%d forgot %d of %d hints, durably", n.id, forgotten, len(delivered))
		}
	})
	n.planSync()
	if h.WaitsForRoom() {
		n.sim.watch.branch(branchHintWaitsForRoom)
	}
	hints, seats := h.Refused()
	for i, hint := range hints {
		n.sim.watch.branch(branchHintRefused)
		n.rounds.Observe(hint.Record.Ballot)
		n.rewriting++
		order := [register.Seats]int{seats[i], register.SeatW, register.SeatD1 + register.SeatD2 - seats[i]}
		n.sim.launch(&operation{
			kind:     opRewrite,
			key:      n.sim.keyIndex(hint.Key),
			order:    order,
			from:     n.id,
			proposer: n.rounds,
			alive:    n.alive(),
			then:     func(register.Record, error) { n.rewriting-- },
		})
	}
}

// forgot takes down what came of the delivered hints.
func (n *node) forgot(forgotten, delivered int, joining bool) {
	w := &n.sim.watch
	switch {
	case forgotten > 0:
		w.branch(branchDelivered)
		n.reached(momentForgot)
		n.sim.release()
	case delivered > 0 && joining:
		w.branch(branchHintKept)
	case delivered > 0:
		w.branch(branchHintReplaced)
	}
}
