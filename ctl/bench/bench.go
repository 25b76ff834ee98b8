// Package bench loads the users API of a deployment and says how many requests
// were answered, and how fast.
//
// Invariants:
//   - Only users that the run made are changed; their ids begin with its prefix.
//     They are deleted at the end, unless they are to be kept.
//   - Every answer is checked. One that is not what was asked for is a failure,
//     and none of the times.
//   - At a given rate a time begins when the request was due, not when it could
//     be sent at last.
package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a run.
const (
	MaxClients     = 4096
	MaxUsers       = 10_000_000
	requestTimeout = 10 * time.Second
	warmUp         = time.Second
)

// Config of a run.
type Config struct {
	Gateway  string // http://host:port
	Load     string // one of Loads
	Clients  int    // requests under way at once, each on a connection of its own
	Users    int    // made before the load begins
	Duration time.Duration
	Rate     float64 // requests a second in all; 0 for as many as are answered
	Keep     bool    // leave the users there
}

// operation is what a request does.
type operation int

const (
	opRead operation = iota
	opCreate
	opUpdate
	opDelete
	operations
)

// String names the operation as results do.
func (o operation) String() string {
	return [operations]string{"read", "create", "update", "delete"}[o]
}

// shares are how many of a thousand requests do what.
type shares [operations]int

// sharesOf returns what the requests of a load do.
func sharesOf(load string) (s shares, known bool) {
	switch load {
	case "read":
		return shares{opRead: 1000}, true
	case "create":
		return shares{opCreate: 1000}, true
	case "update", "hot":
		return shares{opUpdate: 1000}, true
	case "mixed":
		return shares{opRead: 800, opUpdate: 150, opCreate: 25, opDelete: 25}, true
	}
	return s, false
}

// Loads says what each load is.
const Loads = `read, create, update; mixed: 80 % reads, 15 % updates, 2.5 % creates, 2.5 % deletes; hot: updates of one user`

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	_, known := sharesOf(c.Load)
	switch {
	case !known:
		return fmt.Errorf("there is no load %q: choose one of %s", c.Load, Loads)
	case c.Clients < 1 || c.Clients > MaxClients:
		return fmt.Errorf("%d clients: 1 to %d are possible", c.Clients, MaxClients)
	case c.Users < 1 || c.Users > MaxUsers:
		return fmt.Errorf("%d users: 1 to %d are possible", c.Users, MaxUsers)
	case c.Duration <= 0:
		return errors.New("the duration must be positive")
	case c.Rate < 0:
		return errors.New("the rate must not be negative")
	}
	return nil
}

// Progress is told about once a second.
type Progress struct {
	Phase     string  // what is being done
	Done, Of  int     // users, while they are made or deleted; else 0
	PerSecond float64 // requests answered in the last second
	P99       time.Duration
	Failed    int64 // so far
}

// run is one run.
type run struct {
	cfg      Config
	shares   shares
	prefix   string
	client   *http.Client
	workers  []*worker
	created  atomic.Int64 // users made so far: their numbers are below
	measured atomic.Bool
	due      atomic.Int64 // requests that were due, at a rate
	begin    time.Time    // of the load
}

// Run makes the users, loads the deployment and deletes them again. When ctx ends
// while the load lasts, what was measured by then is the result; say, which may be
// nil, is told how far the run is.
func Run(ctx context.Context, cfg Config, say func(Progress)) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	if say == nil {
		say = func(Progress) {}
	}
	r := newRun(cfg)
	defer r.client.CloseIdleConnections()
	if err := r.prepare(ctx, say); err != nil {
		return Result{}, errors.Join(err, r.clean(ctx, say))
	}
	result := r.load(ctx, say)
	return result, r.clean(ctx, say)
}

func newRun(cfg Config) *run {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	s, _ := sharesOf(cfg.Load)
	r := &run{
		cfg: cfg, shares: s, prefix: "bench-" + hex.EncodeToString(b[:]) + "-",
		client: &http.Client{
			Timeout:   requestTimeout,
			Transport: &http.Transport{MaxIdleConnsPerHost: cfg.Clients, DisableCompression: true},
		},
	}
	r.cfg.Gateway = strings.TrimSuffix(cfg.Gateway, "/")
	for i := range cfg.Clients {
		r.workers = append(r.workers, newWorker(r, i))
	}
	return r
}

// prepare makes the users. It gives up at the first that can't be made.
func (r *run) prepare(ctx context.Context, say func(Progress)) error {
	r.created.Store(int64(r.cfg.Users))
	return r.each(ctx, "making users", r.cfg.Users, say, func(w *worker, i int) error {
		if why := w.create(context.WithoutCancel(ctx), i); why != "" {
			return fmt.Errorf("a user can't be made: %s", why)
		}
		return nil
	})
}

// clean deletes the users, also when ctx has ended.
func (r *run) clean(ctx context.Context, say func(Progress)) error {
	if r.cfg.Keep {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	err := r.each(ctx, "deleting users", int(r.created.Load()), say, func(w *worker, i int) error {
		if why := w.remove(ctx, i); why != "" && why != "404" { // a 404 was deleted, or never made
			return fmt.Errorf("a user can't be deleted: %s", why)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("users whose ids begin with %s are left: %w", r.prefix, err)
	}
	return nil
}

// each has the workers do n numbered things, until one fails.
func (r *run) each(ctx context.Context, phase string, n int, say func(Progress), do func(w *worker, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var all sync.WaitGroup
	for _, w := range r.workers {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(w, i); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	stop := everySecond(func() { say(Progress{Phase: phase, Done: int(done.Load()), Of: n}) })
	all.Wait()
	stop()
	return context.Cause(ctx)
}

// everySecond calls f each second until the function that it returns is called.
func everySecond(f func()) (stop func()) {
	end := make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				f()
			}
		}
	})
	return func() { close(end); over.Wait() }
}

// load has the workers send requests for as long as the run is to last.
func (r *run) load(ctx context.Context, say func(Progress)) Result {
	ctx, cancel := context.WithTimeout(ctx, warmUp+r.cfg.Duration)
	defer cancel()
	r.begin = time.Now()
	measuring := time.AfterFunc(warmUp, func() { r.measured.Store(true) })
	defer measuring.Stop()
	var all sync.WaitGroup
	for _, w := range r.workers {
		all.Go(func() { w.work(ctx) })
	}
	stop := everySecond(func() {
		recent, failed := newTimes(), int64(0)
		for _, w := range r.workers {
			failed += w.drain(recent)
		}
		phase := "warming up"
		if r.measured.Load() {
			phase = "measuring"
		}
		say(Progress{
			Phase: phase, PerSecond: float64(recent.TotalCount()), Failed: failed,
			P99: time.Duration(recent.ValueAtPercentile(99)) * time.Microsecond,
		})
	})
	all.Wait()
	stop()
	return r.result(max(0, time.Since(r.begin)-warmUp))
}
