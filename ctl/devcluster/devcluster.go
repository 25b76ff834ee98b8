// Package devcluster runs a whole cluster as child processes on this machine:
// three nodes and a gateway, watched and started again when they die.
//
// Invariants:
//   - No child outlives the process that runs the cluster, however that ends.
//   - Each process has one keeper, which alone replaces its child.
//   - The gateway is stopped before the nodes, so that no request meets a
//     cluster that is half gone.
//   - Every wait is bounded, and so is the number of failed restarts in a row.
package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/service"
	"github.com/dyad-db/dyad/pkg/wire"
)

const (
	readyPoll    = 50 * time.Millisecond
	restartTries = 5 // in a row that end before the process is ready
)

// Cluster is a cluster of running processes. Its methods are for one goroutine.
type Cluster struct {
	cfg      Config
	children []*child // the nodes, then the gateway
	speaking sync.Mutex
}

// Process is a process as it was last started.
type Process struct {
	Name    string // db-0, db-1, db-2, gateway
	Address string // host:port
	PID     int
	Log     string // file
}

// Start starts all processes and returns at once. When it fails, nothing is left
// running; the error wraps syscall.EADDRINUSE if an address is in use.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	specs := cfg.specs()
	if err := checkPrograms(specs); err != nil {
		return nil, err
	}
	if err := checkPorts(ctx, specs); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Logs, 0o750); err != nil {
		return nil, fmt.Errorf("directory of the logs: %w; choose one that you may write", err)
	}
	c := &Cluster{cfg: cfg}
	for _, s := range specs {
		child, err := startChild(s)
		if err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c.children = append(c.children, child)
	}
	return c, nil
}

// Processes returns the nodes in order, then the gateway.
func (c *Cluster) Processes() []Process {
	var processes []Process
	for _, child := range c.children {
		processes = append(processes, Process{Name: child.name, Address: child.address, PID: child.process.Pid, Log: child.log})
	}
	return processes
}

// WaitReady returns when every process serves. It tells waiting, now and then,
// the names of those that don't yet. The error of a process that died says how.
func (c *Cluster) WaitReady(ctx context.Context, waiting func(names []string)) error {
	return waitReady(ctx, c.cfg.ReadyTimeout, c.children, waiting)
}

func waitReady(ctx context.Context, limit time.Duration, children []*child, waiting func(names []string)) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pending := slices.Clone(children)
	for {
		var names []string
		pending = slices.DeleteFunc(pending, func(ch *child) bool {
			return service.CheckReady(bounded, ch.address, wire.PathReady) == nil
		})
		for _, child := range children {
			if child.hasEnded() {
				return errors.New(child.obituary())
			}
		}
		for _, child := range pending {
			names = append(names, child.name)
		}
		if len(pending) == 0 {
			return nil
		}
		waiting(names)
		if !pause(bounded, readyPoll) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("not ready after %s: %s; see %s", limit, strings.Join(names, ", "), pending[0].log)
		}
	}
}

// Supervise starts again what dies, until ctx ends.
func (c *Cluster) Supervise(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range c.children {
		wg.Go(func() { c.keep(ctx, &c.children[i]) })
	}
	wg.Wait()
}

// keep starts a process again whenever it has died, unless it must stay down. It
// gives up on one that can't be made ready.
func (c *Cluster) keep(ctx context.Context, slot **child) {
	for tries := 0; ; {
		last := *slot
		select {
		case <-ctx.Done():
			return
		case <-last.ended:
		}
		if last.forgetful {
			c.report("%s\n%s had its records in memory alone and stays down: a node that forgot its votes must not vote again; the others carry on",
				last.obituary(), last.name)
			return
		}
		if tries == restartTries {
			c.report("%s\n%s was started %d times and never got ready: it stays down", last.obituary(), last.name, tries)
			return
		}
		c.report("%s\n%s is started again in %s; the others carry on", last.obituary(), last.name, c.cfg.RestartDelay)
		if !pause(ctx, c.cfg.RestartDelay) {
			return
		}
		next, err := startChild(last.spec)
		if err != nil {
			c.report("%v: it stays down", err)
			return
		}
		*slot = next
		tries++
		err = waitReady(ctx, c.cfg.ReadyTimeout, []*child{next}, func([]string) {})
		switch {
		case err == nil:
			tries = 0
			c.report("%s is back: PID %d", next.name, next.process.Pid)
		case ctx.Err() == nil && !next.hasEnded():
			c.report("%v", err)
		}
	}
}

// Stop ends all that runs: the gateway, then the nodes. The error names those
// that did not end in order.
func (c *Cluster) Stop() error {
	var gateway, nodes []*child
	for _, child := range c.children {
		switch {
		case child.hasEnded():
		case child.name == gatewayName:
			gateway = append(gateway, child)
		default:
			nodes = append(nodes, child)
		}
	}
	return errors.Join(c.end(gateway), c.end(nodes))
}

// end ends processes, all at once, with SIGKILL where SIGTERM does not help.
func (c *Cluster) end(children []*child) error {
	var errs []error
	for _, child := range children {
		errs = append(errs, child.terminate())
	}
	limit := time.NewTimer(c.cfg.StopTimeout)
	defer limit.Stop()
	late := false
	for _, child := range children {
		if !late {
			select {
			case <-child.ended:
			case <-limit.C:
				late = true
			}
		}
		if late && !child.hasEnded() {
			c.report("%s (PID %d) did not end within %s of SIGTERM: it gets SIGKILL", child.name, child.process.Pid, c.cfg.StopTimeout)
			errs = append(errs, child.kill())
			continue
		}
		if !child.endedInOrder() {
			errs = append(errs, errors.New(child.obituary()))
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) report(format string, args ...any) {
	c.speaking.Lock()
	defer c.speaking.Unlock()
	c.cfg.Report(fmt.Sprintf(format, args...))
}
