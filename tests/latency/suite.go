// Package latency shows what clients notice when a program is taken away and
// comes back: real processes, and clients that send every kind of request all
// the time, know what each answer has to be, and time it.
//
// Invariants:
//   - Every request is judged: failed (5xx or no answer), wrong (not the truth)
//     or correct. None is left out of the table, and none is repeated but by the
//     rule of restclient.NewMoving: what one gateway left unanswered, another is
//     asked once. Those are counted as moved, their time from the first start.
//   - A client waits for each answer before its next request (a closed loop), at
//     a rate that keeps the machine below saturation: clients, gateway and nodes
//     share its processors. The table says how busy they were, so that a slow
//     request can be told from a full machine.
package latency

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	failover     = time.Second      // of the time away, how much is the phase "stopped"
	replyLimit   = 10 * time.Second // for one answer; what takes longer has failed
	pollEvery    = 100 * time.Millisecond
	statusBudget = 5 * time.Second
	// gatewayPatience is how long clients wait for a gateway when one may hang.
	gatewayPatience = 100 * time.Millisecond
)

// Target is a cluster that can be asked; *Cluster is one.
type Target interface {
	Gateways() []string // URLs
	PIDs() []int        // of the processes, for the share of the processors that they used
}

// Options say which load to put on the cluster.
type Options struct {
	Clients   int
	PerSecond float64       // requests of each client
	Shared    int           // users that all clients read and none changes; 0: 500
	Limit     time.Duration // what no request may exceed
	Healthy   time.Duration // before the first fault and after each
	Whole     time.Duration // bound from the end of a fault until the cluster is whole
}

// Fault is something done to a cluster, and undone.
type Fault struct {
	Victim  string
	What    string // was done to it: killed, frozen...
	Away    time.Duration
	Do      func()
	Undo    func()
	Gateway bool // clients may have to leave a gateway that hangs
}

// Outage is one fault, as the cluster saw it.
type Outage struct {
	Victim      string
	What        string
	HintsHeight int64         // when the victim was about to come back
	HintsAfter  int64         // when the cluster was whole again
	ToWhole     time.Duration // from when the fault was undone
}

// Outcome is what a run has to show.
type Outcome struct {
	Rows      []Row
	Outages   []Outage
	Compared  int // ids read once more at the end, deleted ones included
	Existing  int // of them: users
	Different int // of them: not as they should be
	Records   int64
	Problems  []string
}

// Load is a workload that runs against a cluster.
type Load struct {
	*Workload

	tb      testing.TB
	cluster Target
	options Options
	end     context.CancelFunc
	running sync.WaitGroup
	outages []Outage
}

// Start stores the shared users, starts the clients, and lets them run for the
// time that is called healthy. The load ends with the test, if not before. What
// stops it fails the test; how the requests came out is the caller's to judge.
func Start(tb testing.TB, cluster Target, o Options) *Load {
	tb.Helper()
	if o.Shared == 0 {
		o.Shared = 500
	}
	client := restclient.NewMoving(replyLimit, cluster.Gateways()...)
	tb.Cleanup(client.Close)
	next, stop := iter.Pull(people.Generate(1, 1<<30))
	tb.Cleanup(stop)
	row := func() people.Person { p, _ := next(); return p }
	l := &Load{tb: tb, cluster: cluster, options: o, Workload: New(Config{
		Client: client, Clients: o.Clients, PerSecond: o.PerSecond, NewUser: row, PIDs: cluster.PIDs,
	})}
	l.config.Shared = l.create(o.Shared)

	ctx, cancel := context.WithCancel(tb.Context())
	l.end = cancel
	l.Enter("before")
	l.running.Go(func() { l.Run(ctx) })
	tb.Cleanup(func() { cancel(); l.running.Wait() })
	l.Wait(o.Healthy)
	return l
}

// create stores n new users, as fast as they are answered; the clients know
// nothing of them.
func (l *Load) create(n int) []restclient.User {
	l.tb.Helper()
	rows := make([]people.Person, n)
	for i := range rows {
		rows[i] = l.newUser()
	}
	l.each(n, restclient.Exists, func(i int) restclient.Result { return l.config.Client.Create(l.tb.Context(), restclient.User(rows[i])) })
	users := make([]restclient.User, n)
	for i := range rows {
		users[i] = restclient.User(rows[i].Stored())
	}
	return users
}

// Create stores n new users, which the clients leave alone, beside the load.
func (l *Load) Create(n int) []restclient.User {
	l.tb.Helper()
	users := l.create(n)
	for _, u := range users {
		l.keep(u)
	}
	return users
}

// Delete deletes users that Create stored.
func (l *Load) Delete(users []restclient.User) {
	l.tb.Helper()
	l.each(len(users), restclient.NotFound, func(i int) restclient.Result { return l.config.Client.Delete(l.tb.Context(), users[i].ID) })
	gone := map[string]bool{}
	for _, u := range users {
		gone[u.ID] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.kept[:0]
	for _, u := range l.kept {
		if !gone[u.ID] {
			kept = append(kept, u)
		}
	}
	l.kept = kept
	for id := range gone {
		l.removed = append(l.removed, id)
	}
}

// each has n changes carried out that are no part of the load: one that is
// refused for want of nodes, or whose outcome is unknown, is sent again a few
// times. Then again is what it is answered if an earlier try was carried out.
func (l *Load) each(n int, again restclient.Outcome, send func(i int) restclient.Result) {
	l.tb.Helper()
	const tries = 6
	var repeated atomic.Int64
	var failed sync.Map
	inParallel(n, func(i int) {
		unknown := false
		for try := 1; ; try++ {
			r := send(i)
			switch {
			case r.Outcome == restclient.OK && r.Err == nil, unknown && r.Outcome == again:
				return
			case try == tries || r.Outcome != restclient.Unavailable && r.Outcome != restclient.Unknown:
				failed.Store("", r.String())
				return
			}
			unknown = unknown || r.Outcome == restclient.Unknown
			repeated.Add(1)
			time.Sleep(time.Duration(try) * pollEvery)
		}
	})
	if n := repeated.Load(); n > 0 {
		l.tb.Logf("%d requests beside the load had to be repeated", n)
	}
	if why, some := failed.Load(""); some {
		l.tb.Fatalf("of %d requests beside the load, one at least was not carried out: %s", n, why)
	}
}

// Suffer is the story of one fault.
func (l *Load) Suffer(f Fault) Outage {
	l.tb.Helper()
	if f.Gateway {
		l.config.Client.SetPatience(gatewayPatience)
		defer l.config.Client.SetPatience(0)
		l.Wait(l.options.Limit) // until all that was sent with more patience is answered
	}
	l.Enter(f.Victim + " " + f.What)
	f.Do()
	l.Wait(min(failover, f.Away))
	if f.Away > failover {
		l.Enter(f.Victim + " away")
		l.Wait(f.Away - failover)
	}
	outage := Outage{Victim: f.Victim, What: f.What, HintsHeight: l.someStatus().Hints} // hints only grow while it is away

	l.Enter(f.Victim + " returning")
	start := time.Now()
	f.Undo()
	outage.HintsAfter = l.AwaitWhole().Hints
	outage.ToWhole = time.Since(start)
	l.Enter("after " + f.Victim)
	l.Wait(l.options.Healthy)
	l.outages = append(l.outages, outage)
	return outage
}

// Finish ends the load and compares everything.
func (l *Load) Finish() Outcome {
	l.tb.Helper()
	l.Enter("end")
	l.end()
	l.running.Wait()
	o := Outcome{Rows: l.Report(l.options.Limit), Outages: l.outages, Records: l.AwaitWhole().Records}
	o.Compared, o.Existing, o.Different = l.Compare(l.tb.Context())
	o.Problems = l.Problems()
	return o
}

// AwaitWhole waits until every gateway says that the cluster is whole.
func (l *Load) AwaitWhole() Status {
	l.tb.Helper()
	return l.Await("the cluster is whole", func(s Status) bool { return s.Whole })
}

// Await waits until done is content with what every gateway says, and returns
// what the last one said; it fails the test after the time given to become
// whole.
func (l *Load) Await(what string, done func(Status) bool) Status {
	l.tb.Helper()
	s, err := AwaitStatus(l.tb.Context(), l.cluster.Gateways(), l.options.Whole, done)
	if err != nil {
		l.tb.Fatalf("it is not so that %s: %v", what, err)
	}
	return s
}

// someStatus is what the first gateway to answer says.
func (l *Load) someStatus() Status {
	l.tb.Helper()
	type answer struct {
		status Status
		err    error
	}
	gateways := l.cluster.Gateways()
	answers := make(chan answer, len(gateways))
	for _, gateway := range gateways {
		go func() {
			s, err := readSoon(l.tb.Context(), gateway)
			answers <- answer{s, err}
		}()
	}
	var errs []error
	for range gateways {
		a := <-answers
		if a.err == nil {
			return a.status
		}
		errs = append(errs, a.err)
	}
	l.tb.Fatal(errors.Join(errs...))
	return Status{}
}

// Wait lets the load run.
func (l *Load) Wait(d time.Duration) {
	l.tb.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.tb.Context().Done():
		l.tb.Fatal("the test was ended: ", context.Cause(l.tb.Context()))
	}
}

// String shows the whole outcome to a reader.
func (o Outcome) String() string {
	var s strings.Builder
	s.WriteString(Table(o.Rows))
	for _, outage := range o.Outages {
		fmt.Fprintf(&s, "%s %s: %d hints at the height, %d after; whole %.1f s after it was let back\n",
			outage.Victim, outage.What, outage.HintsHeight, outage.HintsAfter, outage.ToWhole.Seconds())
	}
	fmt.Fprintf(&s, "compared %d ids at the end, %d of them users: %d different; %d records on data replicas\n",
		o.Compared, o.Existing, o.Different, o.Records)
	return s.String()
}
