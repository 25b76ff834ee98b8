package dbnode

import (
	"context"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// peers is the cluster as this node reaches it: itself directly, the others
// over HTTP.
type peers struct {
	id      string
	own     int
	replica *replica.Replica
	clients []*nodeclient.Client // nil at own
}

func newPeers(cfg Config, own int, r *replica.Replica) *peers {
	p := &peers{id: cfg.ID, own: own, replica: r}
	for i, node := range cfg.Nodes {
		var c *nodeclient.Client
		if i != own {
			c = nodeclient.New(nodeclient.Config{Node: node, Partitions: cfg.Partitions})
		}
		p.clients = append(p.clients, c)
	}
	return p
}

// Send satisfies drive.Nodes.
func (p *peers) Send(node int, q register.Request, deadline time.Time, reply func(register.Reply)) {
	if node != p.own {
		p.clients[node].Send(q, deadline, reply)
		return
	}
	p.replica.Serve([]register.Request{q}, func(replies []register.Reply) {
		if replies == nil {
			reply(register.Reply{Verdict: register.VerdictLost})
			return
		}
		replies[0].Sole = true
		reply(replies[0])
	})
}

// SendLazy satisfies drive.Nodes.
func (p *peers) SendLazy(node int, q register.Request) {
	if node != p.own {
		p.clients[node].SendLazy(q)
		return
	}
	p.replica.Serve([]register.Request{q}, func([]register.Reply) {})
}

// Up satisfies drive.Nodes.
func (p *peers) Up(node int) bool { return node == p.own || p.clients[node].Up() }

// Hello satisfies membership.Peers.
func (p *peers) Hello(ctx context.Context, node int, life replica.Life) (membership.Welcome, error) {
	w, err := p.clients[node].Hello(ctx, p.id, wire.Life(life))
	if err != nil {
		return membership.Welcome{}, err
	}
	out := membership.Welcome{Life: replica.Life(w.Life), Voting: w.Voting, Before: replica.Life(w.Before)}
	for _, b := range w.Fences {
		out.Fences = append(out.Fences, register.Ballot(b))
	}
	return out, nil
}

// Digest satisfies repair.Contents.
func (p *peers) Digest(ctx context.Context, node int, partition uint16) (digest.Tree, error) {
	if node != p.own {
		return p.clients[node].Digest(ctx, partition)
	}
	return ownDigest(p.replica, partition)
}

// Page satisfies repair.Contents.
func (p *peers) Page(ctx context.Context, node int, partition uint16, after string) ([]register.Hint, bool, error) {
	if node != p.own {
		return p.clients[node].Page(ctx, partition, after)
	}
	return p.replica.Page(partition, after, wire.MaxPageRecords, wire.MaxPageBytes)
}

func ownDigest(r *replica.Replica, partition uint16) (digest.Tree, error) {
	type result struct {
		tree digest.Tree
		err  error
	}
	landed := make(chan result, 1)
	r.Digest(partition, func(tree digest.Tree, err error) { landed <- result{tree, err} })
	out := <-landed
	return out.tree, out.err
}

func (p *peers) close() {
	for _, c := range p.clients {
		if c != nil {
			c.Close()
		}
	}
}
