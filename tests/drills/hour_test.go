package drills

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/faults"
	"github.com/dyad-db/dyad/tests/latency"
)

const (
	faultEvery  = time.Minute      // from the start of one fault to the next one's
	longestAway = 20 * time.Second // for a victim
)

// drillHour has a random fault a minute, one at a time, for as long as wanted;
// each waits until the cluster is whole again. A run shorter than ten minutes
// has ten faults all the same, closer together.
func drillHour(t *testing.T, s sizes) {
	duration := s.duration()
	every := min(faultEvery, duration/10)
	h := &hour{t: t, rng: rand.New(rand.NewPCG(s.seed(), 0)), net: faults.NewNetwork(t, placement.Nodes+gateways), copied: map[int]string{}}
	h.c = latency.StartCluster(t, gateways, h.net.Hosts...)
	o := load(0)
	o.Healthy = min(calm, every/4)
	l := latency.Start(t, h.c, o)
	start, faults := time.Now(), 0
	for time.Since(start) < duration {
		next := time.Now().Add(every)
		fault := h.draw(min(longestAway, every/3))
		outage := l.Suffer(fault)
		faults++
		requests, bad := l.Progress()
		t.Logf("%6.0f s: %s %s for %.0f s, whole %.1f s later; so far %d faults, %d requests, %d failed or wrong",
			time.Since(start).Seconds(), fault.Victim, fault.What, fault.Away.Seconds(), outage.ToWhole.Seconds(), faults, requests, bad)
		l.Wait(time.Until(next))
	}
	outcome := conclude(t, l, h.c.Nodes())
	var sum latency.Row
	for _, row := range outcome.Rows {
		sum.Requests, sum.Failed, sum.Wrong = sum.Requests+row.Requests, sum.Failed+row.Failed, sum.Wrong+row.Wrong
		sum.Moved, sum.Slowest = sum.Moved+row.Moved, max(sum.Slowest, row.Slowest)
	}
	t.Logf("%d faults, %d requests: %d failed, %d wrong, %d moved to the other gateway; the slowest took %v",
		faults, sum.Requests, sum.Failed, sum.Wrong, sum.Moved, sum.Slowest)
}

// hour draws faults.
type hour struct {
	t      *testing.T
	rng    *rand.Rand
	net    *faults.Network
	c      *latency.Cluster
	copied map[int]string // older copies of the nodes' disks
}

func (h *hour) draw(away time.Duration) latency.Fault {
	i := h.rng.IntN(len(h.c.Programs))
	away = time.Second + time.Duration(h.rng.Int64N(int64(max(away-time.Second, 1))))
	kinds := []func() latency.Fault{
		func() latency.Fault { return faults.Killed(h.c, i, away) },
		func() latency.Fault { return faults.Frozen(h.c, i, away) },
		func() latency.Fault { return faults.CutOff(h.t, h.net, h.c, i, "cut off", faults.BothWays, away) },
		func() latency.Fault { return faults.CutOff(h.t, h.net, h.c, i, "deaf", faults.Inwards, away) },
		func() latency.Fault { return faults.CutOff(h.t, h.net, h.c, i, "mute", faults.Outwards, away) },
		func() latency.Fault { return faults.Restarted(h.c, i) },
	}
	if i < placement.Nodes {
		kinds = append(kinds,
			func() latency.Fault { return faults.Wiped(h.t, h.c, i, time.Second) },
			func() latency.Fault { return h.rolledBack(i, away) })
	}
	return kinds[h.rng.IntN(len(kinds))]()
}

// rolledBack puts a node's disk back to what it was when this was last done to
// it, and keeps a copy for the next time. The first time it only copies.
func (h *hour) rolledBack(i int, away time.Duration) latency.Fault {
	f := faults.Killed(h.c, i, away)
	f.What = "rolled back"
	f.Do = func() {
		h.c.Programs[i].Kill()
		older, dir := h.copied[i], h.c.DataDir(i)
		h.copied[i] = faults.Copy(h.t, dir)
		if older != "" {
			faults.RollBack(h.t, dir, older)
		}
	}
	return f
}
