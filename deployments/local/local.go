// Package local is a whole cluster in one process: three nodes and any number
// of gateways, real sockets on loopback between them. Tests use it, and whoever
// wants to embed Dyad.
//
// Invariant: a node's address and disk stay its own from Start to Close, however
// often it is stopped, crashed and restarted.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/dyad-db/dyad/dbnode"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/gateway"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/service"
	"github.com/dyad-db/dyad/pkg/wire"
)

// patience bounds the wait for a node to serve.
const patience = 30 * time.Second

// Config of a local cluster. The zero value is three nodes in memory and one
// gateway.
type Config struct {
	Dir      string                // for RocksDB, one directory per node below it; empty keeps all in memory
	Gateways int                   // 0 means 1
	Gateway  func(*gateway.Config) // changes the gateways' defaults, if given
	Logger   *slog.Logger          // nil discards
}

// Cluster is a running cluster. Its methods are not safe for concurrent use.
type Cluster struct {
	cfg      Config
	members  []nodeclient.Node
	disks    [placement.Nodes]*disk
	nodes    [placement.Nodes]*process // nil while stopped
	gateways []*process
}

// process is something that runs until it is cancelled.
type process struct {
	url    string
	cancel context.CancelFunc
	ended  chan error
}

func start(url string, run func(context.Context) error) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{url: url, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- run(ctx) }()
	return p
}

func (p *process) stop() error {
	p.cancel()
	return <-p.ended
}

// Start starts a cluster and returns when it serves. Close ends it.
func Start(cfg Config) (*Cluster, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Gateways == 0 {
		cfg.Gateways = 1
	}
	c := &Cluster{cfg: cfg}
	if err := c.startAll(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) startAll() error {
	var listeners []net.Listener
	for i := range placement.Nodes {
		l, err := listen(context.Background(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
		c.members = append(c.members, nodeclient.Node{ID: fmt.Sprintf("db-%d", i), URL: "http://" + l.Addr().String()})
		c.disks[i] = newDisk(c.cfg.Dir, c.members[i].ID)
	}
	for i, l := range listeners {
		c.startNode(i, l)
	}
	for i := range c.nodes {
		if err := c.AwaitReady(i); err != nil {
			return err
		}
	}
	for range c.cfg.Gateways {
		if err := c.addGateway(); err != nil {
			return err
		}
	}
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// startNode starts node i on l, and again on the same address should it find its
// disk lost.
func (c *Cluster) startNode(i int, l net.Listener) {
	cfg := dbnode.DefaultConfig()
	cfg.ID, cfg.Nodes = c.members[i].ID, c.members
	cfg.Logger = c.cfg.Logger.With(slog.String("process", cfg.ID))
	address := l.Addr().String()
	listenAgain := func(ctx context.Context) (net.Listener, error) {
		if first := l; first != nil {
			l = nil
			return first, nil
		}
		return listen(ctx, address)
	}
	c.nodes[i] = start(c.members[i].URL, func(ctx context.Context) error {
		err := dbnode.Serve(ctx, cfg, c.disks[i], listenAgain)
		if l != nil { // it did not come that far
			err = errors.Join(err, l.Close())
		}
		return err
	})
}

// AwaitReady returns when node i serves, or why it ended instead.
func (c *Cluster) AwaitReady(i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c.nodes[i] == nil {
		return fmt.Errorf("%s is stopped", c.members[i].ID)
	}
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for {
		err := service.CheckReady(ctx, c.members[i].URL[len("http://"):], wire.PathReady)
		if err == nil {
			return nil
		}
		select {
		case ended := <-c.nodes[i].ended:
			c.nodes[i] = nil
			return errors.Join(fmt.Errorf("%s ended before it served", c.members[i].ID), ended)
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w", c.members[i].ID, err)
		case <-retry.C:
		}
	}
}

func (c *Cluster) addGateway() error {
	g, err := c.startGateway(len(c.gateways), "127.0.0.1:0")
	if err == nil {
		c.gateways = append(c.gateways, g)
	}
	return err
}

func (c *Cluster) startGateway(i int, address string) (*process, error) {
	cfg := gateway.DefaultConfig()
	cfg.Nodes = c.members
	cfg.Logger = c.cfg.Logger.With(slog.String("process", fmt.Sprintf("gateway-%d", i)))
	if c.cfg.Gateway != nil {
		c.cfg.Gateway(&cfg)
	}
	l, err := listen(context.Background(), address)
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(cfg)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return start("http://"+l.Addr().String(), func(ctx context.Context) error { return g.Run(ctx, l) }), nil
}

// RestartGateway ends gateway i in order, as SIGTERM would, and starts another at
// its address.
func (c *Cluster) RestartGateway(i int) error {
	old := c.gateways[i]
	stopErr := old.stop()
	g, err := c.startGateway(i, old.url[len("http://"):])
	if err != nil {
		c.gateways[i] = start(old.url, func(context.Context) error { return nil }) // nothing is left to stop
		return errors.Join(stopErr, err)
	}
	c.gateways[i] = g
	return stopErr
}

// Gateway returns the URL of gateway i.
func (c *Cluster) Gateway(i int) string { return c.gateways[i].url }

// Node returns the URL of node i, db-i.
func (c *Cluster) Node(i int) string { return c.members[i].URL }

// Stop ends node i in order, as SIGTERM would.
func (c *Cluster) Stop(i int) error {
	if c.nodes[i] == nil {
		return fmt.Errorf("%s is stopped already", c.members[i].ID)
	}
	err := c.nodes[i].stop()
	c.nodes[i] = nil
	return err
}

// Crash ends node i as a power cut would: it leaves no tight horizon behind,
// and in memory writes not yet synced are lost. What RocksDB was given may
// still get to its disk.
func (c *Cluster) Crash(i int) error {
	if c.nodes[i] == nil {
		return fmt.Errorf("%s is stopped already", c.members[i].ID)
	}
	c.disks[i].crash()
	err := c.Stop(i)
	if errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrFailed) {
		return nil // what its last writes were told
	}
	return err
}

// Wipe gives node i, which was stopped or crashed, a blank disk.
func (c *Cluster) Wipe(i int) error {
	if c.nodes[i] != nil {
		return fmt.Errorf("%s runs: stop it first", c.members[i].ID)
	}
	return c.disks[i].wipe()
}

// Copy keeps a copy of the disk of node i, in memory, as it is now.
func (c *Cluster) Copy(i int) error { return c.disks[i].keepCopy() }

// RollBack puts the disk of node i, which was stopped or crashed, back to what
// it was at the last Copy.
func (c *Cluster) RollBack(i int) error {
	if c.nodes[i] != nil {
		return fmt.Errorf("%s runs: stop it first", c.members[i].ID)
	}
	return c.disks[i].rollBack()
}

// Corrupt inverts a byte in the middle of the largest file of that pattern on the
// disk of node i, which was stopped or crashed and keeps its data in RocksDB.
func (c *Cluster) Corrupt(i int, pattern string) error {
	if c.nodes[i] != nil {
		return fmt.Errorf("%s runs: stop it first", c.members[i].ID)
	}
	return CorruptFile(c.disks[i].dir, pattern)
}

// Rot flips a bit in up to n of the values between two keys of node i's store,
// which runs, as the engine's own checksums don't see it. It returns how many it
// flipped. Nothing else may write to them meanwhile.
func (c *Cluster) Rot(i int, from, to []byte, n int) (int, error) {
	if c.nodes[i] == nil {
		return 0, fmt.Errorf("%s is stopped", c.members[i].ID)
	}
	return c.disks[i].rot(from, to, n)
}

// Restart starts node i, which was stopped or crashed, at its old address and
// disk. It serves when enough of the others know of its start.
func (c *Cluster) Restart(i int) error {
	if c.nodes[i] != nil {
		return fmt.Errorf("%s runs already", c.members[i].ID)
	}
	l, err := listen(context.Background(), c.members[i].URL[len("http://"):])
	if err != nil {
		return err
	}
	c.startNode(i, l)
	return nil
}

// Close ends all that runs: gateways first.
func (c *Cluster) Close() error {
	var errs []error
	for _, g := range c.gateways {
		errs = append(errs, g.stop())
	}
	c.gateways = nil
	for i, n := range c.nodes {
		if n != nil {
			errs = append(errs, n.stop())
			c.nodes[i] = nil
		}
	}
	return errors.Join(errs...)
}
