// Package nemesis has clients ask a cluster of real processes while one program
// of it after the other is killed, frozen, cut off, restarted, or loses its disk,
// and judges all that they were answered.
//
// Invariants:
//   - Every call of a client is recorded, none is repeated, and porcupine judges
//     each user's history; what it can't decide is no approval.
//   - One program at a time has a fault. The next one comes when every node votes
//     again; every other one does not wait until the cluster is whole, and more
//     than half strike a node that the one before may have left alone with a user.
//   - At the end every user that there ever was is read once more, as part of its
//     history, and the nodes' own records are compared with that.
//   - What is kept in memory is bounded by the length of the run alone: a user is
//     retired after a few hundred calls, judged, and kept as its compressed log.
//   - A seed draws the same faults and loads again; the operating system draws
//     how they meet.
package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/audit"
	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	gateways = 2
	// wholeBound is how long the cluster may take, once a fault is undone, until
	// every node votes, and until it is whole.
	wholeBound = 30 * time.Second
	wholePer   = time.Second     // more, at the end, for each thousand users
	calm       = 3 * time.Second // of load, before the first fault and after the last
	tellEvery  = time.Minute
	glance     = 300 * time.Millisecond // for a gateway to say how it sees the nodes
)

// Options say what to do to the cluster.
type Options struct {
	Seed      uint64
	Duration  time.Duration
	Clients   int
	PerSecond float64 // calls of each client, which waits for each answer
	Tame      bool    // kill and freeze only, which need neither root nor tools
	Dir       string  // for histories that are not right
}

// nemesis is one run.
type nemesis struct {
	testing.TB
	o        Options
	c        *latency.Cluster
	net      *faults.Network
	ballasts []string       // of the nodes' small disks
	copies   map[int]string // of the nodes' disks, made at an earlier fault
	load     atomic.Pointer[shape]
	clients  []*restclient.Client // one for each gateway
	keys     *keys
	judge    *judge
	calls    *calls
	begun    time.Time // what the times in the histories count from
	report   Report
}

// Run runs a cluster under a nemesis and says what was found. It fails the test
// itself only where the run could not go on.
func Run(tb testing.TB, o Options) Report {
	tb.Helper()
	n := &nemesis{TB: tb, o: o, copies: map[int]string{}, report: Report{Seed: o.Seed, Faults: map[string]int{}, Loads: map[string]int{}}}
	n.start()
	n.begun = time.Now()
	clock := func() int64 { return int64(time.Since(n.begun)) }
	n.judge = newJudge(o.Dir, clock)
	n.keys = newKeys(clock, n.judge.take)
	n.calls = newCalls()
	tb.Logf("SEED=%d, from %s on", o.Seed, n.begun.Format("15:04:05.000"))
	defer func() { // also when the run could not go on
		n.keepLogs()
		tb.Log(n.sum())
	}()
	ended := n.startClients()
	n.torment()
	ended()
	n.keys.retireAll()
	n.judge.close()
	if len(n.judge.found()) == 0 {
		n.conclude()
	}
	return n.sum()
}

// start starts the cluster: each program in a network of its own and each node
// on a small disk, unless it is to be tame.
func (n *nemesis) start() {
	if n.o.Tame {
		n.c = latency.StartCluster(n, gateways)
	} else {
		n.net = faults.NewNetwork(n, placement.Nodes+gateways)
		n.c = latency.StartCluster(n, gateways, n.net.Hosts...)
		for i := range placement.Nodes {
			n.ballasts = append(n.ballasts, faults.SmallDisk(n, n.c, i))
		}
	}
	for _, url := range n.c.Gateways() {
		client := restclient.New(patience, url)
		n.Cleanup(client.Close)
		n.clients = append(n.clients, client)
	}
	if _, err := latency.AwaitStatus(n.Context(), n.c.Gateways(), wholeBound, whole); err != nil {
		n.Fatal("the cluster is not whole at the start: ", err)
	}
}

// startClients returns a function that ends the clients and waits until each of
// them has its last answer.
func (n *nemesis) startClients() (end func()) {
	n.load.Store(&shapes()[0])
	ctx, cancel := context.WithCancel(n.Context())
	var running sync.WaitGroup
	for i := range n.o.Clients {
		w := &worker{n: n, number: i, rng: rand.New(rand.NewPCG(n.o.Seed, uint64(i)+1)), rests: make([]time.Time, gateways)}
		running.Go(func() { w.run(ctx) })
	}
	end = func() { cancel(); running.Wait(); n.calls.end() }
	n.Cleanup(end)
	return end
}

// torment inflicts one fault after the other, until the time is over or
// something is found.
func (n *nemesis) torment() {
	rng, all := rand.New(rand.NewPCG(n.o.Seed, 0)), &deck{kinds: kinds(n.o.Tame)}
	n.pause(calm)
	told := time.Now()
	for last := placement.Nodes; time.Since(n.begun) < n.o.Duration && len(n.judge.found()) == 0; {
		p := draw(rng, all, last)
		n.inflict(p)
		last = p.victim
		if time.Since(told) > tellEvery {
			n.Log(n.sum().progress())
			told = time.Now()
		}
	}
	n.pause(calm)
}

// inflict does what p says, and undoes it.
func (n *nemesis) inflict(p plan) {
	fault := p.kind.fault(n, p)
	at := time.Since(n.begun)
	fault.Do()
	n.report.Faults[fault.What]++
	n.pause(p.shift)
	n.shift(p.shape)
	left := (p.away - p.shift) / time.Duration(1+p.flaps)
	for range p.flaps {
		n.pause(left)
		fault.Undo()
		n.pause(p.mended)
		fault.Do()
	}
	n.pause(left)
	seen, back := n.seen(p.victim), time.Now()
	fault.Undo()
	n.c.AwaitReady(p.victim)
	if p.wait {
		n.await("the cluster is whole again after "+fault.Victim+" "+fault.What, wholeBound, whole)
	} else {
		n.await("every node votes again after "+fault.Victim+" "+fault.What, wholeBound, voting)
	}
	what := fault.What
	if p.flaps > 0 {
		what = fmt.Sprintf("%s, %d times,", what, 1+p.flaps)
	}
	n.Logf("%6.1f s: %s %s for %.1f s (seen: %s), back after %.1f s; load: %s",
		at.Seconds(), fault.Victim, what, (back.Sub(n.begun) - at).Seconds(), seen, time.Since(back).Seconds(), p.shape.name)
	if !n.o.Tame && p.victim < placement.Nodes {
		faults.DropSetAside(n, n.c.DataDir(p.victim))
	}
	if p.wait {
		n.pause(p.pause)
	}
}

// seen is what a gateway says of the nodes while a program has its fault, for the
// reader of the log: most faults should be felt.
func (n *nemesis) seen(victim int) string {
	gateway := n.c.Gateways()[0]
	if victim == placement.Nodes {
		gateway = n.c.Gateways()[1]
	}
	ctx, cancel := context.WithTimeout(n.Context(), glance)
	defer cancel()
	switch s, err := latency.ReadStatus(ctx, gateway); {
	case err != nil:
		return "a node does not answer"
	case len(s.Ill) > 0:
		return strings.Join(s.Ill, ", ")
	}
	return "all up"
}

func (n *nemesis) shift(to shape) {
	if n.load.Load().name != to.name {
		n.report.Loads[to.name]++
	}
	n.load.Store(&to)
}

func whole(s latency.Status) bool  { return s.Whole }
func clean(s latency.Status) bool  { return s.Whole && s.Tombstones == 0 }
func voting(s latency.Status) bool { return len(s.Silent)+len(s.Down) == 0 }

// await waits until every gateway says so. That it does not come true in time is
// a finding, and ends the run.
func (n *nemesis) await(what string, bound time.Duration, done func(latency.Status) bool) {
	if _, err := latency.AwaitStatus(n.Context(), n.c.Gateways(), bound, done); err != nil {
		n.judge.note(fmt.Sprintf("it is not so that %s: %v", what, err))
	}
}

// conclude compares, at rest, what the nodes hold with what the histories allow.
func (n *nemesis) conclude() {
	begun, bound := time.Now(), wholeBound+wholePer*time.Duration(n.judge.sum().Keys)/1000
	n.await("the cluster is whole after the last fault, without a deletion still kept", bound, clean)
	n.report.ToWhole = time.Since(begun)
	there := n.judge.last(n.Context(), n.o.Clients, n.clients)
	n.await("the cluster is whole after all was read", bound, clean)
	if len(n.judge.found()) > 0 {
		return
	}
	report, err := audit.Audit(n.Context(), n.c.Nodes(), there)
	if err == nil {
		n.report.Audit = report.String()
		err = report.Err()
	}
	if err != nil {
		n.judge.note("what the nodes hold at the end: " + err.Error())
	}
}

func (n *nemesis) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.Context().Done():
	}
}

// keepLogs leaves what the programs printed beside the histories that are not
// right.
func (n *nemesis) keepLogs() {
	if len(n.judge.found()) == 0 {
		return
	}
	for i := range n.c.Programs {
		text, err := os.ReadFile(n.c.DataDir(i) + ".log")
		if err == nil {
			err = os.WriteFile(filepath.Join(n.o.Dir, n.c.Name(i)+".log"), text, 0o600)
		}
		if err != nil {
			n.Logf("keep the log of %s: %v", n.c.Name(i), err)
		}
	}
}
