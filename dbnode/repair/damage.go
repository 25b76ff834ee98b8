package repair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// batchDamaged bounds the damaged records that one step takes up.
const batchDamaged = 32

// Damaged are this node's damaged records; *replica.Replica has them.
type Damaged interface {
	Damaged() []register.Damage
	Disks(partition uint16) register.Incarnations
	Serve(requests []register.Request, done func([]register.Reply))
}

// Mender is the worker that replaces this node's damaged records: a round above
// the bar settles with the two other acceptors what the record is, and the
// outcome is then accepted here. Why that is safe in each seat stands with
// register.Acceptor.StepDamaged.
type Mender struct {
	node    int
	damaged Damaged
	nodes   drive.Nodes
	rounds  Rounds
	places  placement.Map
	after   register.Damage // the last one taken up
	logger  *slog.Logger
}

// NewMender returns the worker of the node with that number.
func NewMender(node int, places placement.Map, d Damaged, nodes drive.Nodes, rounds Rounds, logger *slog.Logger) *Mender {
	return &Mender{node: node, damaged: d, nodes: nodes, rounds: rounds, places: places, logger: logger}
}

// Step takes up one batch of damaged records, or begins anew.
func (m *Mender) Step(ctx context.Context) (busy bool, err error) {
	all := m.damaged.Damaged()
	batch := all[:0]
	for _, d := range all {
		if beyond(d, m.after) && len(batch) < batchDamaged {
			batch = append(batch, d)
		}
	}
	if len(batch) == 0 {
		m.after = register.Damage{}
		return false, nil
	}
	m.after = batch[len(batch)-1]
	var errs []error
	for _, d := range batch {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if !m.canMend(d.Partition) {
			continue // it waits for both others
		}
		if err := m.mend(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("repair a damaged record of partition %d: %w", d.Partition, err))
		}
	}
	return true, errors.Join(errs...)
}

// beyond reports whether a comes after b, in the order of Damaged.
func beyond(a, b register.Damage) bool {
	return a.Partition > b.Partition || a.Partition == b.Partition && a.Key > b.Key
}

// canMend reports whether both other nodes answer: no fewer are a quorum here.
func (m *Mender) canMend(partition uint16) bool {
	for _, node := range m.places.Group(int(partition)) {
		if node != m.node && !m.nodes.Up(node) {
			return false
		}
	}
	return true
}

var errNotTaken = errors.New("the replacement was not taken; it is tried again")

// mend settles one record and stores the outcome.
func (m *Mender) mend(ctx context.Context, d register.Damage) error {
	own := m.places.Seat(int(d.Partition), m.node)
	var others []int
	for seat := range register.Seats {
		if seat != own {
			others = append(others, seat)
		}
	}
	disks := m.damaged.Disks(d.Partition) // from before the round: what a disk lost since took part in counts no more
	settled, err := m.rounds.Do(ctx, drive.Request{
		Key: d.Key, Rewrite: true, Fill: true, Above: d.Bar, Prefer: others, Deadline: time.Now().Add(batchTimeout),
	})
	if err != nil {
		return err
	}
	accept := register.Request{Kind: register.KindAccept, Partition: d.Partition, Key: d.Key, Record: settled.Record, Disks: disks}
	served := make(chan []register.Reply, 1)
	m.damaged.Serve([]register.Request{accept}, func(replies []register.Reply) { served <- replies })
	replies := <-served
	switch {
	case replies == nil:
		return errStopped
	case replies[0].Verdict == register.VerdictYes:
		m.logger.WarnContext(ctx, "a damaged record was repaired from the other nodes", slog.Int("partition", int(d.Partition)))
		return nil
	case replies[0].Verdict == register.VerdictRefused && !replies[0].Held.IsZero():
		return nil // a newer one came first
	}
	return errNotTaken
}
