package repair

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
)

// The scrub's rate: one batch, then a pause of ScrubIdle, so 5,120 records or
// 5 MB a second at most, whichever is less. That is about a hundredth of one
// processor, and does not grow with the node's load.
const (
	scrubRecords = 256
	scrubBytes   = 256 << 10
	ScrubIdle    = 50 * time.Millisecond
)

// Checked lets the scrub read what this node holds; *replica.Replica does.
type Checked interface {
	// Check reads some records of a partition and notes the damaged ones.
	Check(partition uint16, after string, limit, maxBytes int) (last string, checked int, more bool, err error)
}

// Scrubbed counts what the scrub did since the start.
type Scrubbed struct {
	Passes  atomic.Int64 // through all records of this node
	Last    atomic.Int64 // end of the last pass, microseconds since the Unix epoch
	Checked atomic.Int64 // records read
}

// Scrub is the worker that reads every record of this node, over and over, so
// that damage is found while the other copy is whole. It goes through the store's
// own checksums as well. What the system keeps in memory it reads from there.
type Scrub struct {
	Scrubbed

	checked Checked
	places  placement.Map
	next    uint16
	after   string
}

// NewScrub returns the worker of a node.
func NewScrub(places placement.Map, c Checked) *Scrub { return &Scrub{checked: c, places: places} }

// Step checks one batch. It is never busy: the pause between steps is its rate.
func (s *Scrub) Step(context.Context) (busy bool, err error) {
	partition := s.next
	last, n, more, err := s.checked.Check(partition, s.after, scrubRecords, scrubBytes)
	s.Checked.Add(int64(n))
	if more && err == nil {
		s.after = last
		return false, nil
	}
	s.after = ""
	if s.next++; int(s.next) == s.places.Partitions() {
		s.next = 0
		s.Passes.Add(1)
		s.Last.Store(time.Now().UnixMicro())
	}
	if err != nil {
		return false, fmt.Errorf("scrub partition %d: %w", partition, err)
	}
	return false, nil
}
