package repair

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Quiet waits until what was under way can have ended; it is QuietTime of real
// time outside of simulations.
type Quiet func(ctx context.Context) error

// QuietTime waits for quietTime.
func QuietTime(ctx context.Context) error { return pause(ctx, quietTime) }

// quietTime is how long a bucket must stand still, and differ, before its keys
// are compared: writes under way make replicas differ for a moment, and hints
// until they are handed off, which is not this worker's to do.
const quietTime = time.Second

// Contents lets a worker see what the nodes hold, this one included.
type Contents interface {
	Digest(ctx context.Context, node int, partition uint16) (digest.Tree, error)
	Page(ctx context.Context, node int, partition uint16, after string) (records []register.Hint, more bool, err error)
}

// Findings count what anti-entropy did since the start.
type Findings struct {
	Passes atomic.Int64 // through all partitions of this node, none left out
	Found  atomic.Int64 // keys in which two data replicas differed, and which were healed
	Last   atomic.Int64 // end of the last pass, microseconds since the Unix epoch
}

// AntiEntropy is the worker that compares the two data replicas of a partition
// by digest and rewrites what differs, where the witness holds no hint. In a
// healthy cluster it finds nothing.
type AntiEntropy struct {
	Findings

	compare comparer
	joining func(partition uint16) bool
	quiet   Quiet
	nodes   drive.Nodes
	pass    pass
	partial bool // this pass left a partition out: a node was away, or hints were on their way
	logger  *slog.Logger
}

// NewAntiEntropy returns the worker of the node with that number.
// joining reports whether some disk of a partition's group is not rebuilt yet.
func NewAntiEntropy(node int, places placement.Map, contents Contents, nodes drive.Nodes, rounds Rounds, joining func(partition uint16) bool, quiet Quiet, logger *slog.Logger) *AntiEntropy {
	return &AntiEntropy{
		compare: comparer{contents: contents, rounds: rounds, places: places},
		joining: joining,
		quiet:   quiet,
		nodes:   nodes,
		pass:    newPass(places, node, register.SeatD1),
		logger:  logger,
	}
}

// Step compares one partition.
func (a *AntiEntropy) Step(ctx context.Context) (busy bool, err error) {
	partition, ok := a.pass.partition()
	if !ok {
		return false, nil
	}
	defer func() {
		a.partial = a.partial || err != nil
		a.note()
	}()
	if a.joining(partition) || !a.nodes.Up(a.compare.places.Group(int(partition))[register.SeatD2]) {
		a.partial = true
		return a.pass.turn(), nil
	}
	differing, err := a.compare.stuck(ctx, partition, a.quiet)
	if err != nil || len(differing) == 0 {
		return a.pass.turn() && err == nil, err
	}
	// What the witness still has to hand over is no difference, and its rewrite
	// would only compete with that.
	hints, err := a.compare.contents.Digest(ctx, a.compare.places.Group(int(partition))[register.SeatW], partition)
	if err != nil || hints != (digest.Tree{}) {
		a.partial = true
		return a.pass.turn() && err == nil, err
	}
	found, err := a.compare.heal(ctx, partition, differing)
	a.Found.Add(int64(found))
	if found > 0 {
		a.logger.WarnContext(ctx, "anti-entropy healed records that the data replicas did not share",
			slog.Int("partition", int(partition)), slog.Int("records", found))
	}
	return a.pass.turn() && err == nil, err
}

// note takes down the end of a pass, if this was one that left nothing out.
func (a *AntiEntropy) note() {
	if a.pass.next != 0 {
		return
	}
	if !a.partial {
		a.Passes.Add(1)
		a.Last.Store(time.Now().UnixMicro())
	}
	a.partial = false
}

// comparer compares the two data replicas of a partition.
type comparer struct {
	contents Contents
	rounds   Rounds
	places   placement.Map
}

// trees returns the digests of both data replicas.
func (c *comparer) trees(ctx context.Context, partition uint16) (trees [2]digest.Tree, err error) {
	group := c.places.Group(int(partition))
	for seat := range trees {
		if trees[seat], err = c.contents.Digest(ctx, group[seat], partition); err != nil {
			return trees, err
		}
	}
	return trees, nil
}

// stuck returns the buckets that differ and stand still.
func (c *comparer) stuck(ctx context.Context, partition uint16, quiet Quiet) ([]int, error) {
	first, err := c.trees(ctx, partition)
	if err != nil || first[0] == first[1] {
		return nil, err
	}
	if err := quiet(ctx); err != nil {
		return nil, err
	}
	second, err := c.trees(ctx, partition)
	if err != nil {
		return nil, err
	}
	moved := map[int]bool{}
	for seat := range first {
		for _, b := range first[seat].Diff(&second[seat]) {
			moved[b] = true
		}
	}
	var out []int
	for _, b := range second[0].Diff(&second[1]) {
		if !moved[b] {
			out = append(out, b)
		}
	}
	return out, nil
}

// heal compares the keys of the given buckets and rewrites those that differ,
// unchanged, at both data replicas. It returns how many it healed.
func (c *comparer) heal(ctx context.Context, partition uint16, buckets []int) (healed int, err error) {
	var wanted [digest.Buckets]bool
	for _, b := range buckets {
		wanted[b] = true
	}
	group := c.places.Group(int(partition))
	var held [2]map[string]register.Ballot
	for seat := range held {
		if held[seat], err = c.list(ctx, group[seat], partition, &wanted); err != nil {
			return 0, err
		}
	}
	for seat := range held {
		for key, ballot := range held[seat] {
			other := held[1-seat][key]
			if other == ballot || underWay(register.Max(ballot, other)) {
				continue // the same, or yet to be: a rewrite would be a rival
			}
			delete(held[1-seat], key) // so as not to meet it twice
			// Not a read: where the record is known to be chosen, that leaves the
			// repair to a message which a floor may refuse, every time.
			q := drive.Request{
				Key: key, Rewrite: true, Above: ballot,
				Prefer: []int{register.SeatD1, register.SeatD2}, Deadline: time.Now().Add(batchTimeout),
			}
			if _, err := c.rounds.Do(ctx, q); err != nil {
				return healed, err
			}
			healed++
		}
	}
	return healed, nil
}

// list returns the ballots that a node holds in some buckets of a partition.
func (c *comparer) list(ctx context.Context, node int, partition uint16, wanted *[digest.Buckets]bool) (map[string]register.Ballot, error) {
	out := map[string]register.Ballot{}
	for after, more := "", true; more; {
		var page []register.Hint
		var err error
		if page, more, err = c.contents.Page(ctx, node, partition, after); err != nil {
			return nil, err
		}
		for _, r := range page {
			after = r.Key
			if wanted[digest.Bucket(placement.Hash(r.Key))] {
				out[r.Key] = r.Record.Ballot
			}
		}
		more = more && len(page) > 0
	}
	return out, nil
}
