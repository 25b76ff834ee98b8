// Package dbnode is one storage node, wired together: a replica over a store,
// its HTTP side, and the workers that repair.
//
// Invariant: shutdown goes in this order: take no new connection, end each one
// with its next reply, let the requests under way end, stop the workers, close the
// clients of the peers, seal the replica, close the store.
package dbnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/dbnode/api"
	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/repair"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/service"
)

// How long the workers wait before they look for work again.
const (
	handoffIdle = 250 * time.Millisecond
	collectIdle = time.Second
	entropyIdle = 5 * time.Second
	rebuildIdle = 250 * time.Millisecond
	mendIdle    = 250 * time.Millisecond
	helloIdle   = 50 * time.Millisecond // until admitted; then memberWorker waits longer
	spaceIdle   = 100 * time.Millisecond
)

// farewell is how long a node that stops tells its clients so: under load they
// send a frame every few milliseconds, and otherwise a refused connection tells.
const farewell = 250 * time.Millisecond

// Config of a node.
type Config struct {
	ID         string            // one of Nodes
	Nodes      []nodeclient.Node // all three, sorted by id
	Partitions int
	Logger     *slog.Logger
}

// DefaultConfig returns a configuration that lacks only ID and Nodes.
func DefaultConfig() Config {
	return Config{Partitions: placement.DefaultPartitions, Logger: slog.New(slog.DiscardHandler)}
}

// Store is what a node needs of its engine.
type Store interface {
	store.Store
	Compact() error
	// Space returns the room on the store's medium.
	Space() (store.Space, error)
}

// Node is a storage node that is ready to run.
type Node struct {
	cfg     Config
	number  int
	places  placement.Map
	store   Store
	replica *replica.Replica
	space   *spaceWorker
	peers   *peers
	handoff *repair.Handoff
	entropy *repair.AntiEntropy
	rebuild *repair.Rebuild
	member  *memberWorker
	scrub   *repair.Scrub
	started time.Time

	stopping atomic.Bool
}

// New opens the node's replica in st. From then on the node owns st: Run closes
// it, and so does New when it fails.
func New(cfg Config, st Store) (*Node, error) {
	n, err := open(cfg, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return n, nil
}

func open(cfg Config, st Store) (*Node, error) {
	number := slices.IndexFunc(cfg.Nodes, func(n nodeclient.Node) bool { return n.ID == cfg.ID })
	if number < 0 {
		return nil, fmt.Errorf("node %q is not among the cluster's nodes", cfg.ID)
	}
	places, err := placement.New(cfg.Partitions)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	r, err := replica.Open(replica.Config{
		NodeID: cfg.ID,
		Node:   number,
		Places: places,
		Epoch:  service.FreshNumber(),
		Now:    func() int64 { return time.Now().UnixMicro() },
	}, st)
	if err != nil {
		return nil, err
	}
	space := &spaceWorker{node: cfg.ID, store: st, replica: r, logger: cfg.Logger}
	if _, err := space.Step(context.Background()); err != nil { // before anything is answered
		return nil, err
	}
	cfg.Logger.Info("store opened", slog.String("node", cfg.ID), slog.Duration("took", time.Since(started)))
	return &Node{cfg: cfg, number: number, places: places, store: st, replica: r, space: space, started: started}, nil
}

// numberOf returns the number of the node with that id, or -1.
func (n *Node) numberOf(id string) int {
	return slices.IndexFunc(n.cfg.Nodes, func(node nodeclient.Node) bool { return node.ID == id })
}

// Run serves on l until ctx ends or the store fails, then shuts down. It returns
// nil after an orderly end. It may be called once.
func (n *Node) Run(ctx context.Context, l net.Listener) error {
	n.peers = newPeers(n.cfg, n.number, n.replica)
	driver := drive.New(drive.Config{
		Nodes:    n.peers,
		Places:   n.places,
		Proposer: service.FreshNumber(),
		Hedge:    drive.DefaultHedge(),
		Jitter:   mathrand.N[time.Duration],
	})
	handler := api.New(api.Config{
		NodeID:     n.cfg.ID,
		Partitions: n.cfg.Partitions,
		Acceptors:  n.replica,
		Operator:   operator{n},
		Peer:       operator{n},
		Logger:     n.cfg.Logger,
	})

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	n.startWorkers(workers, &wg, driver, cancel)
	wg.Go(func() {
		select {
		case err := <-n.replica.Failed():
			cancel(fmt.Errorf("the store failed and nothing held in memory can be trusted, so the node ends; look at the disk, then start it again: %w", err))
		case <-ctx.Done():
		}
	})
	defer context.AfterFunc(ctx, func() { n.stopping.Store(true) })()
	err := service.Serve(ctx, l, handler, service.Linger{Farewell: farewell, Streams: handler}, n.cfg.Logger)
	cancel(nil)
	stopWorkers()
	wg.Wait()
	n.peers.close()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	closed := n.Close()
	if errors.Is(err, store.ErrFailed) && errors.Is(closed, store.ErrFailed) {
		return err // the same once more
	}
	return errors.Join(err, closed)
}

// startWorkers starts the background work; wg is done when all of it ended.
func (n *Node) startWorkers(ctx context.Context, wg *sync.WaitGroup, driver *drive.Driver, fail context.CancelCauseFunc) {
	start := func(name string, w service.Worker, idle time.Duration) {
		w = silencedByFailure{w}
		wg.Go(func() { service.RunWorker(ctx, w, idle, n.cfg.Logger.With(slog.String("worker", name))) })
	}
	n.handoff = repair.NewHandoff(n.number, n.places, n.replica, n.peers, driver)
	start("space", n.space, spaceIdle)
	start("handoff", n.handoff, handoffIdle)
	start("tombstones", repair.NewCollector(n.number, n.places, n.replica, n.peers, driver), collectIdle)
	n.entropy = repair.NewAntiEntropy(n.number, n.places, n.peers, n.peers, driver, n.replica.AnyJoining, repair.QuietTime, n.cfg.Logger)
	start("anti-entropy", n.entropy, entropyIdle)
	n.rebuild = repair.NewRebuild(n.number, n.places, n.replica, n.peers, driver, n.replica.Admitted, n.cfg.Logger)
	start("rebuild", n.rebuild, rebuildIdle)
	member := membership.NewMember(n.number, n.replica, n.replica, n.peers, n.cfg.Logger)
	n.member = &memberWorker{member: member, admitted: n.replica.Admitted, fail: fail}
	start("membership", n.member, helloIdle)
	start("damage", repair.NewMender(n.number, n.places, n.replica, n.peers, driver, n.cfg.Logger), mendIdle)
	n.scrub = repair.NewScrub(n.places, n.replica)
	start("scrub", n.scrub, repair.ScrubIdle)
	start("leave", &leaveWorker{lost: n.replica.Lost, member: member, fail: fail}, leaveIdle)
}

// silencedByFailure is a worker that does not complain of a store that failed: the
// node ends for it, and says why.
type silencedByFailure struct{ service.Worker }

// Step satisfies service.Worker.
func (w silencedByFailure) Step(ctx context.Context) (busy bool, err error) {
	busy, err = w.Worker.Step(ctx)
	if errors.Is(err, store.ErrFailed) {
		return false, nil
	}
	return busy, err
}

// Close seals the replica and closes the store. It is for a node that is not
// run; Run does it itself.
func (n *Node) Close() error {
	sealed := make(chan error, 1)
	n.replica.Seal(func(err error) { sealed <- err })
	err := <-sealed
	if err != nil {
		err = fmt.Errorf("seal the acceptors: %w", err)
	}
	return errors.Join(err, n.store.Close())
}
