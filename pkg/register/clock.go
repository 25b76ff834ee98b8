package register

// Clock is a proposer's hybrid logical clock: close to physical time, never
// behind a ballot it saw, never the same twice. It is not safe for concurrent
// use.
// Source: Kulkarni et al., "Logical Physical Clocks", 2014.
type Clock struct {
	proposer uint64
	last     int64
}

// NewClock starts a clock for a proposer id that no process used before.
func NewClock(proposer uint64) *Clock { return &Clock{proposer: proposer} }

// Next returns a ballot above every one returned or observed so far. now is
// physical time in microseconds since the Unix epoch.
func (c *Clock) Next(now int64) Ballot {
	c.last = max(c.last+1, now)
	return Ballot{Time: c.last, Proposer: c.proposer}
}

// Observe moves the clock past b.
func (c *Clock) Observe(b Ballot) { c.last = max(c.last, b.Time) }
