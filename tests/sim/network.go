package sim

import (
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// longestDelay is after how long no message is under way any more.
const longestDelay = 100 * millisecond

// longestHeld is after how long a message is delivered that was held.
const longestHeld = 2 * millisecond

// send carries a request from a process to a node. answer, if not nil, is called
// once at most; a sender that hears nothing has to give up by itself.
func (s *sim) send(from, to int, q register.Request, answer func(register.Reply)) {
	s.oracle.sent(&q)
	c := &call{sim: s, from: from, to: to, request: q, answer: answer}
	if s.out != nil {
		s.sends++
		c.id = s.sends
		s.tracef("#%d %s -> n%d %s", c.id, s.name(from), to, describe(&q))
	}
	switch {
	case from == to:
		s.after(1, c.deliver)
	case !s.nodes[to].up && s.rng.IntN(2) == 0:
		s.after(s.latency(), func() { c.tell(register.Reply{Verdict: register.VerdictUnsent}) })
	case s.loses(from, to, faultLost):
		s.maybeLate(c.deliver)
		c.lose()
	default:
		s.carry(c, c.deliver)
		c.doubled = s.maybeTwice(c.deliver)
	}
}

// carry delivers a call, or its reply: most take their time, some are held until a
// hint is forgotten somewhere, and race then with what changed by it.
func (s *sim) carry(c *call, deliver func()) {
	if c.from < placement.Nodes || !s.chance(s.profile.held) {
		s.after(s.latency(), deliver)
		return
	}
	s.watch.fault(faultSlow)
	delivered := false
	once := func() {
		if !delivered {
			delivered = true
			deliver()
		}
	}
	s.held = append(s.held, once)
	s.after(longestHeld, once)
}

// release delivers what was held.
func (s *sim) release() {
	for _, deliver := range s.held {
		s.after(s.spread(2*s.profile.latency), deliver)
	}
	s.held = nil
}

// remote has a node do something for another; reply's then runs where it was
// asked for, and answered after it, once at most.
func (s *sim) remote(from, to int, serve func(peer *node, reply func(then func())), answered func()) {
	told := false
	deliver := func() {
		peer := s.nodes[to]
		if !peer.up {
			return
		}
		alive := peer.alive()
		serve(peer, func(then func()) {
			if !alive() || from != to && s.loses(to, from, faultReplyLost) {
				return
			}
			s.after(s.latency(), func() {
				if !told {
					told = true
					then()
					answered()
				}
			})
		})
	}
	switch {
	case from == to:
		s.after(1, deliver)
	case s.loses(from, to, faultLost):
		s.maybeLate(deliver)
	default:
		s.after(s.latency(), deliver)
		s.maybeTwice(deliver)
	}
}

// loses reports whether a message is lost on its way, which f counts unless it was
// a cut that did it.
func (s *sim) loses(from, to int, f fault) bool {
	if s.cutOff(from, to) {
		return true
	}
	lost := s.chance(s.profile.loss)
	if lost {
		s.watch.fault(f)
	}
	return lost
}

// maybeLate delivers what its sender holds for lost.
func (s *sim) maybeLate(deliver func()) {
	if s.chance(s.profile.late) {
		s.watch.fault(faultLate)
		s.after(s.rng.Int64N(30*millisecond), deliver)
	}
}

// maybeTwice delivers another copy.
func (s *sim) maybeTwice(deliver func()) bool {
	twice := s.chance(s.profile.double)
	if twice {
		s.watch.fault(faultDoubled)
		s.after(s.latency()+s.rng.Int64N(10*millisecond), deliver)
	}
	return twice
}

func (s *sim) cutOff(from, to int) bool { return !s.healed && s.cut[from][to] }

func (s *sim) latency() int64 {
	d := s.spread(s.profile.latency)
	if s.chance(s.profile.slow) {
		s.watch.fault(faultSlow)
		d *= 1 + s.rng.Int64N(s.profile.slowness)
	}
	return d
}

// call is a request on its way, and its reply.
type call struct {
	sim      *sim
	id       int // in the trace
	from, to int
	request  register.Request
	answer   func(register.Reply)
	doubled  bool // it is sent again, because no answer came in time
	answered bool // the first copy was
	told     bool
}

func (c *call) tell(r register.Reply) {
	if c.told || c.answer == nil {
		return
	}
	c.told = true
	if c.sim.out != nil {
		c.sim.tracef("#%d %s <- n%d %s", c.id, c.sim.name(c.from), c.to, describeReply(&r))
	}
	c.answer(r)
}

// lose lets the sender know that no answer will come, or leaves it in the dark.
func (c *call) lose() {
	if c.sim.rng.IntN(2) == 0 {
		c.sim.after(c.sim.rng.Int64N(10*millisecond), func() { c.tell(register.Reply{Verdict: register.VerdictLost}) })
	}
}

// deliver hands a copy of the request to the node.
func (c *call) deliver() {
	n := c.sim.nodes[c.to]
	if !n.up {
		c.lose()
		return
	}
	if c.sim.out != nil {
		c.sim.tracef("#%d at n%d", c.id, c.to)
	}
	n.take(&c.request, c.reply)
}

// reply carries a node's reply back.
func (c *call) reply(r register.Reply) {
	s := c.sim
	first := !c.answered
	c.answered, r.Sole = true, !c.doubled
	switch {
	case c.answer == nil:
	case c.doubled && first && s.chance(50): // that is why it is sent again
	case c.from == c.to:
		s.after(1, func() { c.tell(r) })
	case s.loses(c.to, c.from, faultReplyLost):
		c.lose()
	default:
		s.carry(c, func() { c.tell(r) })
	}
}

// arrangeFaults starts what goes wrong by itself.
func (s *sim) arrangeFaults() {
	p := &s.profile
	if p.cuts {
		s.every(10*millisecond, s.changeCuts)
	}
	if p.crashes > 0 {
		s.every(p.crashes, s.crashOne)
	}
	if p.restarts > 0 {
		s.every(p.restarts, func() { s.gateways[s.rng.IntN(len(s.gateways))].restart() })
	}
	if p.full > 0 {
		s.every(p.full, func() { s.nodes[s.rng.IntN(len(s.nodes))].fill() })
	}
	if p.rot > 0 {
		s.every(p.rot, s.rotOne)
	}
	if p.jumps > 0 {
		s.every(p.jumps, s.jumpOne)
	}
	if p.flood {
		s.every(8*millisecond, func() { s.nodes[s.rng.IntN(len(s.nodes))].flood() })
	}
	for _, n := range s.nodes {
		s.every(p.handoff, n.handOff)
		s.every(p.hello, n.hello)
		s.every(p.collect, n.collect)
		s.every(p.compare, n.compare)
		if p.rot > 0 {
			s.every(p.scrub, n.scrub)
			s.every(p.scrub, n.mend)
		}
	}
}

// every does something at random moments until all is healed.
func (s *sim) every(mean int64, do func()) {
	s.after(s.spread(mean), func() {
		if !s.healed {
			do()
			s.every(mean, do)
		}
	})
}

func (s *sim) changeCuts() {
	for from := range s.cut {
		for to := range s.cut[from] {
			s.cut[from][to] = false
		}
	}
	for _, f := range []fault{faultCut, faultCutOneWay} {
		if s.watch.ongoing[f] > 0 {
			s.watch.end(f)
		}
	}
	if s.rng.IntN(2) == 0 {
		return
	}
	from, to := s.rng.IntN(len(s.cut)), s.rng.IntN(len(s.cut))
	s.tracef("cut %s -> %s", s.name(from), s.name(to))
	s.cut[from][to] = true
	if s.rng.IntN(2) == 0 {
		s.cut[to][from] = true
		s.watch.begin(faultCut)
		return
	}
	s.watch.begin(faultCutOneWay)
}

func (s *sim) name(process int) string {
	if process < placement.Nodes {
		return "n" + string(rune('0'+process))
	}
	return "g" + string(rune('0'+process-placement.Nodes))
}
