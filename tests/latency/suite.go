// Package latency shows what clients notice when a node is killed and comes
// back: real processes, and clients that send every kind of request all the
// time, know what each answer has to be, and time it.
//
// Invariants:
//   - Every request is judged: failed (5xx or no answer), wrong (not the truth)
//     or correct. None is repeated and none is left out of the table.
//   - A client waits for each answer before its next request (a closed loop), at
//     a rate that keeps the machine below saturation: clients, gateway and nodes
//     share its processors. The table says how busy they were, so that a slow
//     request can be told from a full machine.
package latency

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	shared       = 500              // users that all clients read and none changes
	failover     = time.Second      // of the time away, how much is the phase "stopped"
	returnLimit  = 2 * time.Minute  // for a node to come back and everything to be whole
	replyLimit   = 10 * time.Second // for one answer; what takes longer has failed
	pollEvery    = 100 * time.Millisecond
	statusBudget = 5 * time.Second
)

// Target is a cluster whose nodes can be taken away; *Cluster is one.
type Target interface {
	Gateways() []string // URLs
	PIDs() []int        // of the processes, for the share of the processors that they used
	TakeAway(tb testing.TB, node int)
	BringBack(tb testing.TB, node int)
}

// Options say what to do to the cluster, under which load.
type Options struct {
	Clients   int
	PerSecond float64       // requests of each client
	Limit     time.Duration // what no request may exceed
	Healthy   time.Duration // before the first kill and after each return
	Away      time.Duration // from a kill to the node's next start
	Victims   []int         // nodes to kill, one after the other
}

// Outage is one node's absence, as the cluster saw it.
type Outage struct {
	Node        string
	HintsHeight int64         // when the node was about to come back
	HintsAfter  int64         // when the cluster was whole again
	ToWhole     time.Duration // from the node's start
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

// Run loads the cluster, takes each victim away and back, and compares
// everything at the end. What stops it fails the test; how the requests came
// out is the caller's to judge.
func Run(tb testing.TB, cluster Target, o Options) Outcome {
	tb.Helper()
	client := restclient.New(replyLimit, cluster.Gateways()...)
	defer client.Close()
	next, stop := iter.Pull(people.Generate(1, 1<<30))
	defer stop()
	row := func() people.Person { p, _ := next(); return p }
	w := New(Config{
		Client: client, Clients: o.Clients, PerSecond: o.PerSecond,
		Shared: loadShared(tb, client, row), NewUser: row, PIDs: cluster.PIDs,
	})

	ctx, cancel := context.WithCancel(tb.Context())
	var running sync.WaitGroup
	w.Enter("healthy")
	running.Go(func() { w.Run(ctx) })
	defer running.Wait() // when the test is given up in the middle
	defer cancel()
	wait(tb, o.Healthy)
	var outcome Outcome
	for _, victim := range o.Victims {
		outcome.Outages = append(outcome.Outages, takeAway(tb, cluster, w, victim, o))
	}
	w.Enter("end")
	cancel()
	running.Wait()

	outcome.Rows = w.Report(o.Limit)
	outcome.Records = awaitWhole(tb, cluster).Records
	outcome.Compared, outcome.Existing, outcome.Different = w.Compare(tb.Context())
	outcome.Problems = w.Problems()
	return outcome
}

// takeAway is the story of one outage.
func takeAway(tb testing.TB, cluster Target, w *Workload, victim int, o Options) Outage {
	tb.Helper()
	id := nodeID(victim)
	w.Enter(id + " stopped")
	cluster.TakeAway(tb, victim)
	wait(tb, min(failover, o.Away))
	w.Enter(id + " away")
	wait(tb, max(o.Away-failover, 0))
	outage := Outage{Node: id, HintsHeight: status(tb, cluster).Hints} // hints only grow while it is away

	w.Enter(id + " returning")
	start := time.Now()
	cluster.BringBack(tb, victim)
	outage.HintsAfter = awaitWhole(tb, cluster).Hints
	outage.ToWhole = time.Since(start)
	w.Enter("healthy after " + id)
	wait(tb, o.Healthy)
	return outage
}

// loadShared stores the users that nobody changes.
func loadShared(tb testing.TB, client *restclient.Client, row func() people.Person) []restclient.User {
	tb.Helper()
	var users []restclient.User
	for range shared {
		p := row()
		if result := client.Create(tb.Context(), restclient.User(p)); result.Outcome != restclient.OK || result.Err != nil {
			tb.Fatalf("store the shared user %s: %s", p.ID, result)
		}
		users = append(users, restclient.User(p.Stored()))
	}
	return users
}

// awaitWhole waits until every node is up and no hint is left.
func awaitWhole(tb testing.TB, cluster Target) Status {
	tb.Helper()
	for limit := time.Now().Add(returnLimit); ; {
		s := status(tb, cluster)
		if s.Whole {
			return s
		}
		if time.Now().After(limit) {
			tb.Fatalf("not whole %v after a node's return: %s", returnLimit, s.Missing)
		}
		wait(tb, pollEvery)
	}
}

func status(tb testing.TB, cluster Target) Status {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), statusBudget)
	defer cancel()
	s, err := ReadStatus(ctx, cluster.Gateways()[0])
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// wait lets the load run.
func wait(tb testing.TB, d time.Duration) {
	tb.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-tb.Context().Done():
		tb.Fatal("the test was ended: ", context.Cause(tb.Context()))
	}
}

// String shows the whole outcome to a reader.
func (o Outcome) String() string {
	var s strings.Builder
	s.WriteString(Table(o.Rows))
	for _, outage := range o.Outages {
		fmt.Fprintf(&s, "%s away: %d hints at the height, %d after; whole %.1f s after its start\n",
			outage.Node, outage.HintsHeight, outage.HintsAfter, outage.ToWhole.Seconds())
	}
	fmt.Fprintf(&s, "compared %d ids at the end, %d of them users: %d different; %d records on data replicas\n",
		o.Compared, o.Existing, o.Different, o.Records)
	return s.String()
}
