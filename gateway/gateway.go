// Package gateway is the public HTTP service, wired together: the users API over
// a coordinator that drives register rounds against the three nodes. It keeps
// nothing that must survive, so any number may run at once.
//
// Invariant: shutdown goes in this order: turn unready, take no new connection,
// end each one with its next reply, let the requests under way end, close the
// clients of the nodes.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/gateway/coordinator"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/service"
	"github.com/dyad-db/dyad/pkg/user"
)

// How a gateway stops: time for a balancer to find it unready, and for each client
// to make a request.
const (
	unready  = time.Second
	farewell = time.Second
)

// Config of a gateway.
type Config struct {
	Nodes      []nodeclient.Node // all three, sorted by id
	Partitions int               // of the cluster; nodes made with another number refuse
	Hedge      drive.Hedge       // when a third node is asked
	Budget     time.Duration     // how long an operation may take
	Frame      time.Duration     // how long one exchange with a node may take
	Logger     *slog.Logger
}

// DefaultConfig returns a configuration that lacks only Nodes.
func DefaultConfig() Config {
	return Config{
		Partitions: placement.DefaultPartitions,
		Hedge:      drive.DefaultHedge(),
		Budget:     coordinator.DefaultBudget,
		Frame:      nodeclient.DefaultFrameTimeout,
		Logger:     slog.New(slog.DiscardHandler),
	}
}

func (c Config) validate() error {
	switch {
	case len(c.Nodes) != placement.Nodes:
		return fmt.Errorf("a cluster has %d nodes, not %d", placement.Nodes, len(c.Nodes))
	case c.Hedge.Least <= 0 || c.Hedge.Most < c.Hedge.Least:
		return errors.New("the hedge must be positive, its bounds in order")
	case c.Budget <= 0:
		return errors.New("the budget of an operation must be positive")
	}
	return nil
}

// Gateway is a gateway that is ready to run.
type Gateway struct {
	cfg         Config
	nodes       nodes
	coordinator *coordinator.Coordinator
	handler     http.Handler
	stopping    atomic.Bool
}

// New wires a gateway. Run must be called, since it also releases what New holds.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	places, err := placement.New(cfg.Partitions)
	if err != nil {
		return nil, err
	}
	rules, err := user.NewValidator()
	if err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg}
	for _, n := range cfg.Nodes {
		g.nodes = append(g.nodes, nodeclient.New(nodeclient.Config{Node: n, Partitions: cfg.Partitions, FrameTimeout: cfg.Frame}))
	}
	driver := drive.New(drive.Config{
		Nodes:    g.nodes,
		Places:   places,
		Proposer: service.FreshNumber(),
		Hedge:    cfg.Hedge,
		Jitter:   mathrand.N[time.Duration],
	})
	g.coordinator = coordinator.New(driver, cfg.Budget)
	g.handler = g.routes(api.New(g.coordinator, rules, cfg.Logger))
	return g, nil
}

// Run serves on l until ctx ends, then drains and shuts down. It returns nil
// after an orderly end. It may be called once.
func (g *Gateway) Run(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { g.stopping.Store(true) })()
	err := service.Serve(ctx, l, g.handler, service.Linger{Unready: unready, Farewell: farewell}, g.cfg.Logger)
	for _, c := range g.nodes {
		c.Close()
	}
	return err
}

// nodes are the clients of the three nodes, as the driver wants them.
type nodes []*nodeclient.Client

// Send satisfies drive.Nodes.
func (n nodes) Send(node int, q register.Request, deadline time.Time, reply func(register.Reply)) {
	n[node].Send(q, deadline, reply)
}

// SendLazy satisfies drive.Nodes.
func (n nodes) SendLazy(node int, q register.Request) { n[node].SendLazy(q) }

// Up satisfies drive.Nodes.
func (n nodes) Up(node int) bool { return n[node].Up() }
