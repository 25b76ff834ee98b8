package sim

const hour = 3600 * second

// clock is a process's physical clock.
type clock struct {
	sim    *sim
	offset int64
	frozen int64 // the time at which it stands, or 0
}

func (s *sim) newClock() clock {
	c := clock{sim: s}
	if s.profile.skew > 0 {
		c.set(s.rng.Int64N(2*s.profile.skew) - s.profile.skew)
		s.watch.fault(faultSkew)
	}
	if s.chance(s.profile.frozen) {
		c.frozen = s.now
		s.watch.fault(faultFrozen)
	}
	return c
}

func (c *clock) set(offset int64) {
	c.offset = offset
	c.sim.furthest = max(c.sim.furthest, offset)
}

func (c *clock) now() int64 {
	t := c.sim.now
	if c.frozen > 0 {
		if c.sim.rng.IntN(64) == 0 {
			c.frozen = t
		}
		t = c.frozen
	}
	return t + c.offset
}

func (c *clock) right() { c.offset, c.frozen = 0, 0 }

// setAstray puts the clock of one node an hour off, if this run has such a one.
func (s *sim) setAstray() {
	if s.profile.hour == 0 {
		return
	}
	s.nodes[s.rng.IntN(len(s.nodes))].clock.set(s.profile.hour)
	if s.profile.hour > 0 {
		s.watch.begin(faultHourAhead)
	} else {
		s.watch.begin(faultHourBehind)
	}
}

// jumpOne sets a clock ahead or back.
func (s *sim) jumpOne() {
	i := s.rng.IntN(len(s.nodes) + len(s.gateways))
	var c *clock
	if i < len(s.nodes) {
		c = &s.nodes[i].clock
	} else {
		c = &s.gateways[i-len(s.nodes)].clock
	}
	by := s.rng.Int64N(s.profile.jumpBy) + 1
	if s.rng.IntN(2) == 0 {
		s.watch.fault(faultJumpAhead)
	} else {
		by = -by
		s.watch.fault(faultJumpBack)
	}
	s.tracef("the clock of %s jumps by %d ms", s.name(i), by/millisecond)
	c.set(c.offset + by)
	c.frozen = 0
}
