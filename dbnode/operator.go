package dbnode

import (
	"fmt"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// operator answers for the node as a whole.
type operator struct{ n *Node }

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
// It needs as much room as there is data, so not on a full disk.
func (o operator) Compact() error {
	if o.n.replica.ReadOnly() {
		return replica.ErrReadOnly
	}
	return o.n.store.Compact()
}

// Records satisfies api.Operator.
func (o operator) Records(q wire.RecordsQuery) ([]wire.RecordLine, error) {
	versions, err := o.n.replica.Records(q.Partition, q.After, q.Limit)
	lines := make([]wire.RecordLine, len(versions))
	for i, v := range versions {
		lines[i] = wire.RecordLine{Key: v.Key, Ballot: wire.BallotJSON(v.Ballot), Tombstone: v.Tombstone, Checksum: v.Checksum}
	}
	return lines, err
}
