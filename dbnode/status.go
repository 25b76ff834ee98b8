package dbnode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// Ready satisfies api.Operator: a node serves once its peers know this start of
// its disk, until it stops.
func (o operator) Ready() []wire.Check {
	running := wire.Check{Name: "running"}
	if o.n.stopping.Load() {
		running.Problem = "the node is stopping"
	}
	admitted := wire.Check{Name: "admitted"}
	if !o.n.replica.Admitted() {
		admitted.Problem = "waiting for another node to know of this start; nothing is answered before"
		if why := o.n.member.why(); why != "" {
			admitted.Problem = why
		}
	}
	partitions := wire.Check{Name: "partitions"}
	if voting := o.n.replica.Status().Voting; voting < o.n.cfg.Partitions {
		partitions.Note = fmt.Sprintf("votes in %d of %d, the others are being rebuilt", voting, o.n.cfg.Partitions)
	}
	return []wire.Check{running, admitted, partitions}
}

// Status satisfies api.Operator.
func (o operator) Status() (wire.NodeStatus, error) {
	n := o.n
	disk, err := n.store.Usage()
	if err != nil {
		return wire.NodeStatus{}, err
	}
	space, err := n.store.Space()
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
		Hints:         n.hints(s),
		DiskBytes:     disk,
		ReadOnly:      n.replica.ReadOnly(),
		FreeBytes:     space.Free,
		Rebuild:       n.rebuilding(s, own.Joining),
		AntiEntropy: wire.EntropyFindings{
			Passes: n.entropy.Passes.Load(), Last: moment(n.entropy.Last.Load()), Found: n.entropy.Found.Load(),
		},
		Scrub:        n.scrubbed(),
		Incarnations: n.incarnations(s.Identity),
		AsData:       wire.Messages(s.AsData),
		AsWitness:    wire.Messages(s.AsWitness),
		Unreadable:   s.Unreadable,
	}, nil
}

// moment returns a time from microseconds since the Unix epoch; nil for none.
func moment(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}

// scrubbed tells what the scrub found; "damaged" counts what a request met, too.
func (n *Node) scrubbed() wire.ScrubFindings {
	s, damage := n.scrub, n.replica.DamageCount()
	return wire.ScrubFindings{
		Passes: s.Passes.Load(), Last: moment(s.Last.Load()), Checked: s.Checked.Load(),
		Damaged: damage.Found, Healed: damage.Healed,
	}
}

func (n *Node) incarnations(identity replica.Identity) map[string]uint32 {
	known := map[string]uint32{}
	for i, node := range n.cfg.Nodes {
		known[node.ID] = identity.Lives[i].Incarnation
	}
	return known
}

func (n *Node) rebuilding(s replica.Status, joining bool) *wire.RebuildProgress {
	if !joining {
		return nil
	}
	return &wire.RebuildProgress{Done: s.Voting, Of: n.cfg.Partitions, Records: n.rebuild.Copied()}
}

// hints sums up the hints by whom they wait for: the data replicas that don't
// answer this node now, or else both, which are then being brought up to date.
func (n *Node) hints(s replica.Status) []wire.HintHolding {
	sums := map[string]*wire.HintHolding{}
	for partition, held := range s.Hints {
		awaited, away := n.awaited(partition)
		key := strings.Join(awaited, ",")
		sum := sums[key]
		if sum == nil {
			sum = &wire.HintHolding{For: awaited}
			sums[key] = sum
		}
		sum.Records += held.Records
		sum.Tombstones += held.Tombstones
		sum.Bytes += held.Bytes
		sum.Documents += held.Documents
		if at := moment(s.Oldest[partition]); sum.Oldest == nil || at != nil && at.Before(*sum.Oldest) {
			sum.Oldest = at
		}
		if pace := n.handoff.PerSecond(time.Now()); pace > 0 && !away {
			sum.CatchUpSeconds = float64(sum.Count()) / pace
		}
	}
	out := []wire.HintHolding{}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, *sums[key])
	}
	return out
}

// awaited returns for whom the hints of a partition are, and whether these don't
// answer.
func (n *Node) awaited(partition int) (ids []string, away bool) {
	group := n.places.Group(partition)
	var all []string
	for _, node := range group[register.SeatD1 : register.SeatD2+1] {
		id := n.cfg.Nodes[node].ID
		all = append(all, id)
		if !n.peers.Up(node) {
			ids = append(ids, id)
		}
	}
	away = len(ids) > 0
	if !away {
		ids = all
	}
	slices.Sort(ids)
	return ids, away
}
