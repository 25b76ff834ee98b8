// Package repair brings the copies of a partition back together: hinted handoff
// from the witness to the data replicas. Each worker does one bounded unit of
// work per step.
//
// Invariant: a hint is forgotten only after both data replicas said that they
// hold at least its ballot, synced, and only if it is still that very record.
package repair

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Bounds of one step.
const (
	batchHints   = 32 // forwarded, or rewritten, at once
	batchTimeout = 2 * time.Second
)

// While there are many hints, requests go first: a batch is small, since they wait
// behind it, and a rest of restPart times as long as it took follows, maxRest at
// most, lest a slow disk make the catching up slower still. With 256 hints a batch
// and no rest the p99 of requests was four times that of before.
const (
	restPart = 3
	maxRest  = 15 * time.Millisecond
)

// Hints are what this node keeps as witness; *replica.Replica does.
type Hints interface {
	Hints(partition uint16, after string, limit int) ([]register.Hint, error)
	Forget(partition uint16, disks register.Incarnations, hints []register.Hint, done func(forgotten int, err error))
	Disks(partition uint16) register.Incarnations
	// AnyJoining reports whether a disk of the group is being rebuilt: nothing is
	// forgotten then.
	AnyJoining(partition uint16) bool
}

// Rounds runs one register operation; *drive.Driver does.
type Rounds interface {
	Do(ctx context.Context, q drive.Request) (drive.Result, error)
}

// Handoff is the worker that delivers this node's hints.
type Handoff struct {
	Pace // of hints delivered

	hints  Hints
	nodes  drive.Nodes
	rounds Rounds
	places placement.Map
	pass   pass
}

// NewHandoff returns the worker of the node with that number.
func NewHandoff(node int, places placement.Map, hints Hints, nodes drive.Nodes, rounds Rounds) *Handoff {
	return &Handoff{hints: hints, nodes: nodes, rounds: rounds, places: places, pass: newPass(places, node, register.SeatW)}
}

// Step delivers one batch of hints, or looks for some in one partition. It is
// busy until a whole pass found nothing to deliver.
func (h *Handoff) Step(ctx context.Context) (busy bool, err error) {
	partition, ok := h.pass.partition()
	if !ok {
		return false, nil
	}
	group := h.places.Group(int(partition))
	if !h.nodes.Up(group[register.SeatD1]) || !h.nodes.Up(group[register.SeatD2]) || h.hints.AnyJoining(partition) {
		return h.pass.turn(), nil // it starts when both answer again
	}
	hints, err := h.hints.Hints(partition, h.pass.after, batchHints)
	if err != nil {
		h.pass.turn() // the other partitions don't wait for this one
		return false, fmt.Errorf("read the hints of partition %d: %w", partition, err)
	}
	if len(hints) == 0 {
		return h.pass.turn(), nil
	}
	h.pass.after = hints[len(hints)-1].Key
	h.pass.work = true
	begun := time.Now()
	moved, err := h.deliver(ctx, partition, hints)
	if len(hints) == batchHints {
		_ = pause(ctx, min(restPart*time.Since(begun), maxRest)) // the next step sees that ctx ended
	}
	if !moved || err != nil {
		h.pass.turn()
	}
	return moved || err != nil, err
}

// deliver forwards the hints, forgets those that arrived, and rewrites those
// that a floor or an old promise keeps out; a later pass looks at these again,
// and at those that meet an operation under way or wait for room at a data
// replica. moved says that there were others.
func (h *Handoff) deliver(ctx context.Context, partition uint16, hints []register.Hint) (moved bool, err error) {
	begun := time.Now()
	disks := h.hints.Disks(partition)
	handoff := register.NewHandoff(partition, disks, hints)
	contested, err := h.exchange(ctx, partition, handoff)
	if err != nil {
		return false, err
	}
	delivered := handoff.Delivered()
	err = await(func(done func(error)) {
		h.hints.Forget(partition, disks, delivered, func(_ int, err error) { done(err) })
	})
	if err != nil {
		return false, fmt.Errorf("forget delivered hints: %w", err)
	}
	h.Did(begun, time.Now(), len(delivered))
	refused, seats := handoff.Refused()
	switch {
	case len(delivered)+len(refused) > 0:
		rewritten, err := h.rewrite(ctx, refused, seats, contested)
		return len(delivered)+rewritten > 0, err
	case handoff.WaitsForRoom():
		return false, nil
	default:
		return false, fmt.Errorf("none of %d hints of partition %d could be delivered", len(hints), partition)
	}
}

// contested says of hints, by key, that an operation under way keeps them out. A
// rewrite would be its rival, and might leave its client with an unknown outcome.
type contested map[string]bool

// operationTime is how long an operation may be under way; a promise that is
// older was left behind. Nothing rests on it but how soon a hint is delivered.
const operationTime = time.Second

// underWay reports whether a ballot is as fresh as that of an operation under way.
func underWay(b register.Ballot) bool {
	age := time.Since(time.UnixMicro(b.Time))
	return -operationTime < age && age < operationTime
}

func (h *Handoff) exchange(ctx context.Context, partition uint16, handoff *register.Handoff) (contested, error) {
	group := h.places.Group(int(partition))
	deadline := time.Now().Add(batchTimeout)
	type answer struct {
		seat  int
		tag   uint32
		reply register.Reply
	}
	sends := handoff.Start()
	answers := make(chan answer, len(sends))
	busy := contested{}
	keys := make(map[uint32]string, len(sends))
	for _, s := range sends {
		keys[s.Tag] = s.Request.Key
		h.nodes.Send(group[s.Seat], s.Request, deadline, func(r register.Reply) {
			answers <- answer{s.Seat, s.Tag, r}
		})
	}
	for !handoff.Done() {
		select {
		case a := <-answers:
			handoff.Reply(a.seat, a.tag, a.reply)
			if r := a.reply; r.Verdict == register.VerdictRefused && r.Floor.Less(r.Highest) && underWay(r.Highest) {
				busy[keys[a.tag]] = true
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return busy, nil
}

// rewrite brings hints to the replica that refused them, at fresh ballots, but for
// those that are contested. It returns how many it set out to bring.
func (h *Handoff) rewrite(ctx context.Context, hints []register.Hint, seats []int, contested contested) (n int, err error) {
	var wg sync.WaitGroup
	errs := make([]error, len(hints))
	for i, hint := range hints {
		if contested[hint.Key] {
			continue
		}
		n++
		wg.Go(func() {
			_, errs[i] = h.rounds.Do(ctx, drive.Request{
				Key:      hint.Key,
				Rewrite:  true,
				Prefer:   []int{seats[i], register.SeatW},
				Above:    hint.Record.Ballot,
				Deadline: time.Now().Add(batchTimeout),
			})
		})
	}
	wg.Wait()
	return n, errors.Join(errs...)
}
