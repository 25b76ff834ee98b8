package dbnode

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// operator answers for the node as a whole.
type operator struct{ n *Node }

// Ready satisfies api.Operator: a node serves once its peers know this start of
// its disk.
func (o operator) Ready() error {
	if !o.n.replica.Admitted() {
		return errors.New("not yet known to another node; nothing is answered before")
	}
	return nil
}

// Hello satisfies api.Peer.
func (o operator) Hello(h wire.Hello) (wire.Welcome, error) {
	node := o.n.numberOf(h.From)
	if node < 0 || node == o.n.number {
		return wire.Welcome{}, fmt.Errorf("%q is no other node of this cluster", h.From)
	}
	type result struct {
		welcome membership.Welcome
		err     error
	}
	landed := make(chan result, 1)
	membership.Greet(o.n.replica, node, replica.Life(h.Life), func(w membership.Welcome, err error) {
		landed <- result{w, err}
	})
	out := <-landed
	w := wire.Welcome{Life: wire.Life(out.welcome.Life), Voting: out.welcome.Voting, Before: wire.Life(out.welcome.Before)}
	for _, b := range out.welcome.Fences {
		w.Fences = append(w.Fences, wire.BallotJSON(b))
	}
	return w, out.err
}

// Digest satisfies api.Peer.
func (o operator) Digest(partition uint16) (digest.Tree, error) {
	return ownDigest(o.n.replica, partition)
}

// Page satisfies api.Peer.
func (o operator) Page(partition uint16, after string) ([]register.Hint, bool, error) {
	return o.n.replica.Page(partition, after, wire.MaxPageRecords, wire.MaxPageBytes)
}

// Compact satisfies api.Operator.
func (o operator) Compact() error { return o.n.store.Compact() }

// Records satisfies api.Operator.
func (o operator) Records(q wire.RecordsQuery) ([]wire.RecordLine, error) {
	versions, err := o.n.replica.Records(q.Partition, q.After, q.Limit)
	lines := make([]wire.RecordLine, len(versions))
	for i, v := range versions {
		lines[i] = wire.RecordLine{Key: v.Key, Ballot: wire.BallotJSON(v.Ballot), Tombstone: v.Tombstone, Checksum: v.Checksum}
	}
	return lines, err
}

// Status satisfies api.Operator.
func (o operator) Status() (wire.NodeStatus, error) {
	n := o.n
	disk, err := n.store.Usage()
	if err != nil {
		return wire.NodeStatus{}, err
	}
	s := n.replica.Status()
	own := wire.Life(s.Identity.Lives[n.number])
	own.Starts = replica.Starts{} // for peers alone
	return wire.NodeStatus{
		ID:            n.cfg.ID,
		Life:          own,
		Serving:       n.replica.Admitted(),
		UptimeSeconds: time.Since(n.started).Seconds(),
		Partitions:    n.cfg.Partitions,
		Data:          wire.Holding(s.Data),
		Hints:         n.hints(s.Hints),
		DiskBytes:     disk,
		AsData:        wire.Messages(s.AsData),
		AsWitness:     wire.Messages(s.AsWitness),
		Unreadable:    s.Unreadable,
		Scrub:         n.scrubStatus(),
	}, nil
}

// hints sums up the hints by whom they wait for: the data replicas that don't
// answer this node now, or else both, which are then being brought up to date.
func (n *Node) hints(byPartition map[int]replica.Holding) []wire.HintHolding {
	sums := map[string]*wire.HintHolding{}
	for partition, held := range byPartition {
		group := n.places.Group(partition)
		var awaited []string
		for _, node := range group[register.SeatD1 : register.SeatD2+1] {
			if !n.peers.Up(node) {
				awaited = append(awaited, n.cfg.Nodes[node].ID)
			}
		}
		if len(awaited) == 0 {
			for _, node := range group[register.SeatD1 : register.SeatD2+1] {
				awaited = append(awaited, n.cfg.Nodes[node].ID)
			}
		}
		slices.Sort(awaited)
		key := strings.Join(awaited, ",")
		if sums[key] == nil {
			sums[key] = &wire.HintHolding{For: awaited}
		}
		sums[key].Records += held.Records
		sums[key].Tombstones += held.Tombstones
		sums[key].Bytes += held.Bytes
	}
	out := []wire.HintHolding{}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, *sums[key])
	}
	return out
}

// scrubStatus tells what the scrub found; "damaged" counts what a request met, too.
func (n *Node) scrubStatus() wire.Scrub {
	s, damage := n.scrub, n.replica.DamageCount()
	return wire.Scrub{
		Passes: s.Passes.Load(), Last: s.Last.Load(), Checked: s.Checked.Load(),
		Damaged: damage.Found, Healed: damage.Healed,
	}
}
