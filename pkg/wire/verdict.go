package wire

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
)

// NodeState is how a node is, in a word.
type NodeState string

// The states, the first that applies.
const (
	StateDown     NodeState = "down"      // it does not answer the gateway, or is not the node that it should be
	StateWaiting  NodeState = "waiting"   // for another node to know of its start; it answers no request before
	StateJoining  NodeState = "joining"   // its disk was lost, and is being rebuilt from the others
	StateReadOnly NodeState = "read-only" // its disk is nearly full; the two others take the writes
	StateSlow     NodeState = "slow"      // its reply typically takes longer than SlowReply
	StateUp       NodeState = "up"
)

// SlowReply is the typical reply of a node that counts as slow: much over a
// synced write, and about when gateways cease to wait for a reply.
const SlowReply = 50 * time.Millisecond

// Judge fills in all that follows from Nodes. Whole means that every node is up,
// if slow, and that no hint is left.
func (c *ClusterStatus) Judge() {
	c.Missing, c.DiskBytes, c.DocumentBytes = []string{}, 0, 0
	var absent []string
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.State = n.state()
		if n.State == StateDown || n.State == StateWaiting || n.State == StateJoining {
			absent = append(absent, n.ID)
		}
	}
	documents := int64(0)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		c.Missing = append(c.Missing, n.Trouble()...)
		if n.Status == nil {
			continue
		}
		n.Status.Hints = narrow(n.Status.Hints, absent)
		c.Missing = append(c.Missing, n.undelivered("")...)
		c.DiskBytes += n.Status.DiskBytes
		documents += n.Status.Data.Documents
	}
	c.Whole = len(c.Missing) == 0
	if c.Whole {
		c.DocumentBytes = documents / copies
	}
}

// copies is how many nodes hold a user at rest: all but the witness.
const copies = placement.Nodes - 1

// CanStop returns what speaks against stopping a node now; nothing if every user
// stays readable and writable, and is on both other nodes, or is not this node's
// to lose. That is the case when nothing is amiss but with the node itself.
func (c *ClusterStatus) CanStop(id string) (reasons []string, err error) {
	var ids []string
	for i := range c.Nodes {
		n := &c.Nodes[i]
		ids = append(ids, n.ID)
		if n.ID != id {
			reasons = append(reasons, n.Trouble()...)
		}
		reasons = append(reasons, n.undelivered(id)...)
	}
	if !slices.Contains(ids, id) {
		return nil, fmt.Errorf("%q is no node of this cluster, which has %s", id, strings.Join(ids, ", "))
	}
	return reasons, nil
}

func (n *NodeReport) state() NodeState {
	switch {
	case !n.Up || n.Status == nil:
		return StateDown
	case n.Status.Joining:
		return StateJoining
	case !n.Status.Serving:
		return StateWaiting
	case n.Status.ReadOnly:
		return StateReadOnly
	case n.ReplyMillis > float64(SlowReply.Milliseconds()):
		return StateSlow
	}
	return StateUp
}

// Trouble says what is amiss with a node, hints aside; nothing for one that is
// merely slow.
func (n *NodeReport) Trouble() (all []string) {
	switch n.state() {
	case StateDown:
		return []string{fmt.Sprintf("%s is down: %s", n.ID, n.Error)}
	case StateWaiting:
		return []string{n.ID + " waits for another node before it serves"}
	case StateJoining:
		if p := n.Status.Rebuild; p != nil {
			return []string{fmt.Sprintf("%s is being rebuilt: %d of %s", n.ID, p.Done, plural(int64(p.Of), "partition"))}
		}
		return []string{n.ID + " is being rebuilt"}
	case StateReadOnly:
		all = append(all, fmt.Sprintf("%s is read-only: its disk is nearly full (%.1f MB free)", n.ID, float64(n.Status.FreeBytes)/1e6))
	case StateSlow, StateUp:
	}
	if left := n.Status.Scrub.Damaged - n.Status.Scrub.Healed; left > 0 {
		all = append(all, fmt.Sprintf("%s holds %s, to be replaced from the other nodes", n.ID, plural(left, "damaged record")))
	}
	return all
}

// undelivered says which hints a node holds, other than for the one excepted.
func (n *NodeReport) undelivered(except string) []string {
	if n.Status == nil {
		return nil
	}
	var out []string
	for _, h := range n.Status.Hints {
		if k := h.Count(); k > 0 && !slices.Equal(h.For, []string{except}) {
			out = append(out, fmt.Sprintf("%s holds %s for %s", n.ID, plural(k, "hint"), strings.Join(h.For, " or ")))
		}
	}
	return out
}

// narrow makes definite what hints are for: a node that does not know yet that
// one of two is absent says that they are for one or the other.
func narrow(hints []HintHolding, absent []string) []HintHolding {
	out := []HintHolding{}
	for _, h := range hints {
		var awaited []string
		for _, id := range h.For {
			if slices.Contains(absent, id) {
				awaited = append(awaited, id)
			}
		}
		if len(awaited) > 0 {
			h.For, h.CatchUpSeconds = awaited, 0
		}
		i := slices.IndexFunc(out, func(o HintHolding) bool { return slices.Equal(o.For, h.For) })
		if i < 0 {
			out = append(out, h)
			continue
		}
		out[i].add(h)
	}
	return out
}

func (h *HintHolding) add(o HintHolding) {
	h.Records += o.Records
	h.Tombstones += o.Tombstones
	h.Bytes += o.Bytes
	h.Documents += o.Documents
	h.CatchUpSeconds = max(h.CatchUpSeconds, o.CatchUpSeconds)
	if h.Oldest == nil || o.Oldest != nil && o.Oldest.Before(*h.Oldest) {
		h.Oldest = o.Oldest
	}
}

// plural writes how many there are of something, such as "1 hint".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
