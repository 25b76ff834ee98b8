package repair

import (
	"errors"

	"github.com/dyad-db/dyad/pkg/placement"
)

var errStopped = errors.New("the replica stopped")

// pass goes through the partitions in which a node has a certain seat, over and
// over.
type pass struct {
	node  int
	own   []uint16
	next  int    // of own
	after string // key that the last batch of own[next] ended with
	work  bool   // this pass found something to do
}

func newPass(places placement.Map, node, seat int) pass {
	p := pass{node: node}
	for id := range places.Partitions() {
		if places.Seat(id, node) == seat {
			p.own = append(p.own, uint16(id))
		}
	}
	return p
}

// partition returns the partition whose turn it is; false if there is none.
func (p *pass) partition() (uint16, bool) {
	if len(p.own) == 0 {
		return 0, false
	}
	return p.own[p.next], true
}

// turn goes on to the next partition; false at the end of a pass that found
// nothing to do.
func (p *pass) turn() bool {
	p.after = ""
	p.next++
	if p.next < len(p.own) {
		return true
	}
	p.next = 0
	work := p.work
	p.work = false
	return work
}
