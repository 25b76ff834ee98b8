package sim

import (
	"crypto/rand"
	"encoding/binary"
	"runtime"
	"sync"
	"time"
)

// Plan says which seeds Explore runs: Runs of them, or as many as there is time
// for, and one at least on each processor.
type Plan struct {
	Base     uint64 // the first seed
	Runs     uint64 // 0 for no bound
	Duration time.Duration
	All      bool // go on after a bad seed
}

// Totals is what came of many runs.
type Totals struct {
	Base      uint64 // the first seed; the others follow
	Runs, Bad uint64
	Sum       Result // of all: counts, and what they met
	First     Result // the first bad one
	Took      time.Duration
}

// FreshSeed draws a seed after which come more than anyone will ever run.
func FreshSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])>>16 + 1
}

// Explore runs seeds on all processors until the plan ends, or one is bad. bad is
// told of each bad one, and progress of the totals from time to time.
func Explore(plan Plan, bad func(Result), progress func(Totals)) Totals {
	e := explorer{plan: plan, begun: time.Now(), bad: bad, sum: Totals{Base: plan.Base}}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(e.work)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(e.totals())
			case <-stop:
				return
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-stopped
	return e.totals()
}

type explorer struct {
	plan  Plan
	begun time.Time
	bad   func(Result)

	mu   sync.Mutex
	next uint64
	sum  Totals
}

// totals returns what came of the runs so far.
func (e *explorer) totals() Totals {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.sum
	t.Took = time.Since(e.begun)
	return t
}

// work takes one seed after the other.
func (e *explorer) work() {
	for {
		seed, ok := e.take()
		if !ok {
			return
		}
		e.add(Run(seed, nil))
	}
}

func (e *explorer) take() (seed uint64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch p := &e.plan; {
	case e.sum.Bad > 0 && !p.All, p.Runs > 0 && e.next == p.Runs,
		p.Duration > 0 && time.Since(e.begun) >= p.Duration:
		return 0, false
	}
	e.next++
	return e.plan.Base + e.next - 1, true
}

func (e *explorer) add(r Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.sum
	t.Runs++
	t.Sum.Operations += r.Operations
	t.Sum.Unknown += r.Unknown
	t.Sum.Failed += r.Failed
	t.Sum.NoSpace += r.NoSpace
	t.Sum.Events += r.Events
	t.Sum.Met.Add(&r.Met)
	if len(r.Violations) == 0 {
		return
	}
	if t.Bad++; t.Bad == 1 {
		t.First = r
	}
	if t.Bad == 1 || e.plan.All {
		e.bad(r)
	}
}
