package sim

// Coverage is what runs met: branches of the protocol, faults, and pairs of
// faults. It is counted from messages, replies and what the simulator sees; the
// code under test knows nothing of it.
type Coverage struct {
	Branches [branches]uint64
	Faults   [faults]uint64
	AtOnce   [faults][faults]uint64 // runs in which the second began while the first was in force, or soon after it
}

// Add takes in what other runs met.
func (c *Coverage) Add(o *Coverage) {
	for i := range c.Branches {
		c.Branches[i] += o.Branches[i]
	}
	for i := range c.Faults {
		c.Faults[i] += o.Faults[i]
		for j := range c.Faults {
			c.AtOnce[i][j] += o.AtOnce[i][j]
		}
	}
}

// Pairs counts the pairs of faults that some run met at once, and all that may meet,
// a fault with another of its kind included.
func (c *Coverage) Pairs() (met, all int) {
	for i := range faults {
		for j := range i + 1 {
			switch {
			case excluded(i, j):
				continue
			case c.pair(i, j) > 0:
				met++
			}
			all++
		}
	}
	return met, all
}

func (c *Coverage) pair(i, j fault) uint64 {
	if i == j {
		return c.AtOnce[i][i]
	}
	return c.AtOnce[i][j] + c.AtOnce[j][i]
}

// Missed names what no run met: branches, faults, and pairs of faults that were met each.
func (c *Coverage) Missed() (missedBranches, missedFaults, missedPairs []string) {
	for b := range branches {
		if c.Branches[b] == 0 {
			missedBranches = append(missedBranches, b.String())
		}
	}
	for i := range faults {
		if c.Faults[i] == 0 {
			missedFaults = append(missedFaults, i.String())
			continue
		}
		for j := range i + 1 {
			if c.Faults[j] > 0 && c.pair(i, j) == 0 && !excluded(i, j) {
				missedPairs = append(missedPairs, i.String()+" + "+j.String())
			}
		}
	}
	return missedBranches, missedFaults, missedPairs
}

// linger is how long a fault that is but a moment may bear on what follows.
const linger = 20 * millisecond

// watch keeps what a run met.
type watch struct {
	sim     *sim
	met     Coverage
	ongoing [faults]int   // how many of the kind are in force
	until   [faults]int64 // a moment's effects may last so long
}

func (w *watch) branch(b branch) { w.met.Branches[b]++ }

// fault notes one that is but a moment.
func (w *watch) fault(f fault) {
	w.began(f)
	w.until[f] = w.sim.now + linger
}

// begin notes a fault that is in force until end.
func (w *watch) begin(f fault) {
	w.began(f)
	w.ongoing[f]++
}

func (w *watch) end(f fault) {
	w.ongoing[f]--
	w.until[f] = w.sim.now + linger
}

func (w *watch) began(f fault) {
	w.met.Faults[f]++
	for g := range faults {
		if w.ongoing[g] > 0 || w.until[g] > w.sim.now {
			w.met.AtOnce[g][f] = 1
		}
	}
}

// fault is something that a network, a disk, a clock or a process did.
type fault uint8

// The faults that a run may meet.
const (
	faultLost       fault = iota // a message that never arrived
	faultLate                    // one lost for its sender that arrived after all
	faultDoubled                 // one that arrived twice
	faultReplyLost               // a reply that never arrived
	faultSlow                    // a message that took many times as long as others
	faultUnheard                 // a hello that nobody's answer came to
	faultCutOneWay               // what one process sends another is lost for a time
	faultCut                     // and both ways
	faultCrash                   // a node lost its power
	faultUnsynced                // and with it writes that were not synced
	faultTorn                    // of which a part was kept
	faultRelapse                 // a node went down right after it had started
	faultAtPoint                 // it did so right after a certain step of the protocol
	faultStop                    // a node stopped in good order
	faultTwoDown                 // one more was down, or being rebuilt
	faultAllDown                 // all three
	faultSyncFails               // a disk that fails its writes before the node goes down
	faultBlank                   // a node came back with a blank disk
	faultOldCopy                 // with a copy of its disk
	faultNewCopy                 // with the latest that can be told from the disk
	faultRot                     // a flipped bit in a record
	faultStateRot                // in what the node keeps of itself
	faultFull                    // a full disk
	faultGateway                 // a gateway restarted
	faultSkew                    // clocks differ by more than messages take
	faultFrozen                  // a clock that stands still for long
	faultHourAhead               // one that is an hour ahead
	faultHourBehind              // one that is an hour behind
	faultJumpAhead               // one that jumped ahead
	faultJumpBack                // one that jumped back
	faultExpired                 // an operation whose time was up
	faultHedge                   // a hedge that came too early
	faultFlood                   // promises for many other keys
	faults
)

// String names the fault as reports print it.
func (f fault) String() string {
	return [...]string{
		"lost message", "late message", "doubled message", "lost reply", "slow message", "unheard hello",
		"cut one way", "cut both ways", "crash", "unsynced writes lost", "unsynced writes lost in part",
		"crash right after a start", "crash at a point of the protocol", "orderly stop", "second node down", "all nodes down", "failing syncs",
		"blank disk", "old copy of a disk", "latest copy of a disk", "flipped bit of a record",
		"flipped bit of a state", "full disk", "gateway restart", "skewed clocks", "clock standing still",
		"clock an hour ahead", "clock an hour behind", "clock jumps ahead", "clock jumps back", "expired operation",
		"early hedge", "flood of promises",
	}[f]
}

// excluded reports pairs that no run makes: two disks are not lost at a time, for that
// is more than one failure that loses data, and one clock at most is an hour off.
func excluded(i, j fault) bool {
	loses := func(f fault) bool { return f == faultBlank || f == faultOldCopy || f == faultNewCopy }
	astray := func(f fault) bool { return f == faultHourAhead || f == faultHourBehind }
	return loses(i) && loses(j) || astray(i) && astray(j)
}
