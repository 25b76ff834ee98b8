package repair

import (
	"context"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// restingTime is how old a tombstone is before it is collected, so that the
// floors it leaves behind hinder no operation under way. Nothing rests on it:
// the proof does not use a clock.
const restingTime = time.Second

// Tombstones are what this node keeps as first data replica; *replica.Replica does.
type Tombstones interface {
	Tombstones(partition uint16, after string, limit int) ([]register.Hint, error)
	Disks(partition uint16) register.Incarnations
	Serve(requests []register.Request, done func([]register.Reply))
}

// Collector is the worker that drops tombstones, on proof: both data replicas
// hold the tombstone, the witness holds nothing and refuses whatever is older
// from now on. It is run by the first data replica; its own copy goes last, so
// that what was begun is taken up again after a crash.
type Collector struct {
	tombstones Tombstones
	nodes      drive.Nodes
	rounds     Rounds
	places     placement.Map
	pass       pass
}

// NewCollector returns the worker of the node with that number.
func NewCollector(node int, places placement.Map, t Tombstones, nodes drive.Nodes, rounds Rounds) *Collector {
	return &Collector{tombstones: t, nodes: nodes, rounds: rounds, places: places, pass: newPass(places, node, register.SeatD1)}
}

// Step collects one batch of one partition.
func (c *Collector) Step(ctx context.Context) (busy bool, err error) {
	partition, ok := c.pass.partition()
	if !ok {
		return false, nil
	}
	group := c.places.Group(int(partition))
	if !c.nodes.Up(group[register.SeatD2]) || !c.nodes.Up(group[register.SeatW]) {
		return c.pass.turn(), nil // one node away: tombstones wait
	}
	page, err := c.tombstones.Tombstones(partition, c.pass.after, batchHints)
	if err != nil || len(page) == 0 {
		return c.pass.turn() && err == nil, err
	}
	c.pass.after = page[len(page)-1].Key
	oldest := time.Now().Add(-restingTime).UnixMicro()
	resting := page[:0]
	for _, t := range page {
		if t.Record.Ballot.Time <= oldest {
			resting = append(resting, t)
		}
	}
	return true, c.collect(ctx, partition, resting)
}

// collect bars the witness, then drops the tombstones at the second data
// replica, then here.
func (c *Collector) collect(ctx context.Context, partition uint16, page []register.Hint) error {
	group := c.places.Group(int(partition))
	disks := c.tombstones.Disks(partition)
	barred, _, err := c.ask(ctx, group[register.SeatW], register.KindBar, partition, disks, page)
	if err != nil {
		return err
	}
	dropped, lacking, err := c.ask(ctx, group[register.SeatD2], register.KindCollect, partition, disks, barred)
	if err != nil {
		return err
	}
	if _, _, err := c.ask(ctx, group[register.SeatD1], register.KindCollect, partition, disks, dropped); err != nil {
		return err
	}
	for _, t := range lacking { // it may have been dropped there before a crash here
		if _, err := c.rounds.Do(ctx, drive.Request{Key: t.Key, Rewrite: true, Above: t.Record.Ballot, Deadline: time.Now().Add(batchTimeout)}); err != nil {
			return err
		}
	}
	return nil
}

// ask sends one message for each tombstone and returns those answered by yes,
// and those refused.
func (c *Collector) ask(ctx context.Context, node int, kind register.Kind, partition uint16, disks register.Incarnations, page []register.Hint) (yes, refused []register.Hint, err error) {
	requests := make([]register.Request, len(page))
	for i, t := range page {
		requests[i] = register.Request{Kind: kind, Partition: partition, Key: t.Key, Ballot: t.Record.Ballot, Disks: disks}
	}
	replies, err := c.send(ctx, node, requests)
	if err != nil {
		return nil, nil, err
	}
	for i, r := range replies {
		switch r.Verdict {
		case register.VerdictYes:
			yes = append(yes, page[i])
		case register.VerdictRefused:
			refused = append(refused, page[i])
		case register.VerdictUnable, register.VerdictStale, register.VerdictFull, register.VerdictLost, register.VerdictUnsent:
		}
	}
	return yes, refused, nil
}

// send keeps the messages for this node together, so that they are taken as one
// batch.
func (c *Collector) send(ctx context.Context, node int, requests []register.Request) ([]register.Reply, error) {
	if node != c.pass.node || len(requests) == 0 {
		return exchange(ctx, c.nodes, node, requests)
	}
	served := make(chan []register.Reply, 1)
	c.tombstones.Serve(requests, func(replies []register.Reply) { served <- replies })
	if replies := <-served; replies != nil {
		return replies, nil
	}
	return nil, errStopped
}
