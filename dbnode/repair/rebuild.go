package repair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Joiner is a node whose disk was lost; *replica.Replica is one while it joins.
type Joiner interface {
	// Joining reports whether the acceptor of a partition may not vote yet.
	Joining(partition uint16) bool
	Copy(partition uint16, records []register.Hint, done func(error))
	PartitionRebuilt(partition uint16)
	Rebuilt(done func(error))
}

// Rebuild is the worker that brings back what a lost disk held, partition by
// partition, behind the fence: as data replica it copies every record of the
// other one and every hint of the witness; as witness it waits until both data
// replicas hold the same records.
type Rebuild struct {
	node     int
	joiner   Joiner
	contents Contents
	compare  comparer
	places   placement.Map
	admitted func() bool
	logger   *slog.Logger

	next    int // partition being rebuilt
	source  int // index into sources of that partition
	after   string
	equal   [digest.Buckets]bool // as witness: buckets seen to be the same at both
	joined  bool                 // some partition had to be rebuilt
	done    bool
	records atomic.Int64
}

// NewRebuild returns the worker of the node with that number. admitted reports
// whether the peers have fenced the lost disk.
func NewRebuild(node int, places placement.Map, joiner Joiner, contents Contents, rounds Rounds, admitted func() bool, logger *slog.Logger) *Rebuild {
	return &Rebuild{
		node: node, joiner: joiner, contents: contents, places: places, admitted: admitted, logger: logger,
		compare: comparer{contents: contents, rounds: rounds, places: places},
	}
}

// Step copies one page, or compares one partition.
func (r *Rebuild) Step(ctx context.Context) (busy bool, err error) {
	if r.done || !r.admitted() {
		return false, nil
	}
	for r.next < r.places.Partitions() && !r.joiner.Joining(uint16(r.next)) {
		r.turn()
	}
	if r.next == r.places.Partitions() {
		r.done = true
		if !r.joined {
			return false, nil
		}
		r.logger.InfoContext(ctx, "rebuilt from the other nodes", slog.Int64("records", r.Copied()))
		return false, await(r.joiner.Rebuilt)
	}
	r.joined = true
	partition := uint16(r.next)
	if r.places.Seat(r.next, r.node) == register.SeatW {
		err = r.settle(ctx, partition)
	} else {
		err = r.copyPage(ctx, partition)
	}
	return err == nil, err
}

// Copied returns how many records came from the other nodes so far.
func (r *Rebuild) Copied() int64 { return r.records.Load() }

func (r *Rebuild) turn() {
	r.next++
	r.source, r.after = 0, ""
	r.equal = [digest.Buckets]bool{}
}

// copyPage copies one page from the other data replica, or from the witness.
func (r *Rebuild) copyPage(ctx context.Context, partition uint16) error {
	group := r.places.Group(int(partition))
	other := register.SeatD1 + register.SeatD2 - r.places.Seat(int(partition), r.node)
	sources := []int{group[other], group[register.SeatW]}
	page, more, err := r.contents.Page(ctx, sources[r.source], partition, r.after)
	if err != nil {
		return fmt.Errorf("copy partition %d: %w", partition, err)
	}
	err = await(func(done func(error)) { r.joiner.Copy(partition, page, done) })
	if err != nil {
		return err
	}
	r.records.Add(int64(len(page)))
	if more && len(page) > 0 {
		r.after = page[len(page)-1].Key
		return nil
	}
	r.source, r.after = r.source+1, ""
	if r.source == len(sources) {
		r.joiner.PartitionRebuilt(partition)
	}
	return nil
}

var errDiffer = errors.New("the data replicas still differ")

// settle waits until each bucket was once the same at both data replicas, since
// the fence: then none needs the hint that the lost disk may have held.
func (r *Rebuild) settle(ctx context.Context, partition uint16) error {
	trees, err := r.compare.trees(ctx, partition)
	if err != nil {
		return err
	}
	differ := map[int]bool{}
	for _, b := range trees[0].Diff(&trees[1]) {
		differ[b] = true
	}
	var open []int
	for b := range r.equal {
		r.equal[b] = r.equal[b] || !differ[b]
		if !r.equal[b] {
			open = append(open, b)
		}
	}
	if len(open) == 0 {
		r.joiner.PartitionRebuilt(partition)
		return nil
	}
	if _, err := r.compare.heal(ctx, partition, open); err != nil {
		return err
	}
	return fmt.Errorf("partition %d: %w in %d buckets", partition, errDiffer, len(open))
}

func await(start func(done func(error))) error {
	landed := make(chan error, 1)
	start(func(err error) { landed <- err })
	return <-landed
}
