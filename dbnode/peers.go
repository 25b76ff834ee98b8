package dbnode

import (
	"time"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/register"
)

// peers is the cluster as this node reaches it: itself directly, the others
// over HTTP.
type peers struct {
	own     int
	replica *replica.Replica
	clients []*nodeclient.Client // nil at own
}

func newPeers(cfg Config, own int, r *replica.Replica) *peers {
	p := &peers{own: own, replica: r}
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

func (p *peers) close() {
	for _, c := range p.clients {
		if c != nil {
			c.Close()
		}
	}
}
