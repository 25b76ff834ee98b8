package drive

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// event is what drives a run on: the answer to a Send, or a turn of its clock.
type event struct {
	kind  eventKind
	seat  int
	tag   uint32
	reply register.Reply
}

type eventKind uint8

const (
	eventAnswer eventKind = iota
	eventStart
	eventTick    // the timer fired
	eventGivenUp // nobody waits for the outcome any more
)

// run is one call of Do. Whoever brings an event drives the round on, or leaves the
// event to whoever is doing so: the caller of Do sleeps until the outcome is there,
// instead of being woken for each answer.
//
// Invariant: one goroutine at a time, the one that set driving, touches the fields
// below mu; none does after over was set, but the caller of Do.
type run struct {
	driver   *Driver
	group    [placement.Nodes]int
	deadline time.Time
	timer    *time.Timer
	done     chan struct{} // closed when over is set

	mu      sync.Mutex
	driving bool
	over    bool
	waiting []event
	first   [placement.Nodes]event // where they mostly find room

	round    *register.Round
	hedged   bool // since the round began to wait for what it waits for
	panicked any  // what a change panicked with
}

// loop starts the round and returns when it is over.
func (r *run) loop(ctx context.Context) {
	r.timer = time.NewTimer(r.wait())
	defer r.timer.Stop()
	r.driving = true
	r.advance(event{kind: eventStart})
	given := ctx.Done()
	for {
		select {
		case <-r.done:
			if r.panicked != nil {
				panic(r.panicked)
			}
			return
		case <-r.timer.C:
			r.happen(event{kind: eventTick})
		case <-given:
			given = nil
			r.happen(event{kind: eventGivenUp})
		}
	}
}

// happen takes in an event.
func (r *run) happen(e event) {
	r.mu.Lock()
	if r.over || r.driving {
		// There is one tick at most, since taking it in sets the timer again.
		if !r.over && (len(r.waiting) < eventRoom || e.kind != eventAnswer) {
			r.waiting = append(r.waiting, e)
		}
		r.mu.Unlock()
		return
	}
	r.driving = true
	r.mu.Unlock()
	r.advance(e)
}

// advance takes in e and the events that come meanwhile.
func (r *run) advance(e event) {
	defer func() {
		if p := recover(); p != nil { // it belongs to the caller of Do
			r.end(fmt.Sprintf("%v\n%s", p, debug.Stack()))
		}
	}()
	for more := true; more; e, more = r.next() {
		tag := r.round.Tag()
		r.take(e)
		if r.round.Done() {
			r.end(nil)
			return
		}
		if r.round.Tag() != tag && e.kind != eventStart {
			r.hedged = false
			r.timer.Reset(r.wait())
		}
	}
}

// next returns the event that came first, or ends the driving.
func (r *run) next() (e event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		r.driving = false
		return event{}, false
	}
	e = r.waiting[0]
	r.waiting = r.waiting[:copy(r.waiting, r.waiting[1:])]
	return e, true
}

// end wakes the caller of Do.
func (r *run) end(panicked any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.panicked = true, panicked
	close(r.done)
}

func (r *run) take(e event) {
	switch e.kind {
	case eventAnswer:
		r.reply(e)
	case eventStart:
		r.send(r.round.Start())
	case eventTick:
		r.tick()
	case eventGivenUp:
		r.round.Expire()
	}
}

func (r *run) reply(e event) {
	node := r.group[e.seat]
	if e.reply.Verdict == register.VerdictUnable {
		r.driver.unable[node].Store(time.Now().UnixMicro())
	}
	if e.reply.Verdict == register.VerdictFull {
		r.driver.full[node].Store(time.Now().UnixMicro())
	}
	r.send(r.round.Reply(e.seat, e.tag, e.reply))
}

// tick is what a timer brings: the end of a pause, a hedge, or the deadline.
func (r *run) tick() {
	switch _, pausing := r.round.Pausing(); {
	case !time.Now().Before(r.deadline):
		r.round.Expire()
		return
	case pausing:
		r.send(r.round.Resume())
	default:
		r.hedged = true
		r.send(r.round.Hedge())
	}
	r.timer.Reset(r.wait())
}

// wait is how long nothing may happen before tick is due. Once all three were
// asked there is nobody else to turn to: only what is lost is asked for again.
func (r *run) wait() time.Duration {
	w := r.driver.took.late()
	if r.hedged {
		w = max(w, patience)
	}
	if attempts, pausing := r.round.Pausing(); pausing {
		w = r.driver.cfg.Jitter(min(firstPause<<min(attempts, 8), longestWait))
	}
	return max(0, min(w, time.Until(r.deadline)))
}

func (r *run) send(sends []register.Send) {
	nodes := r.driver.cfg.Nodes
	sent := time.Now()
	for _, s := range sends {
		if s.Lazy {
			nodes.SendLazy(r.group[s.Seat], s.Request)
			continue
		}
		nodes.Send(r.group[s.Seat], s.Request, r.deadline, func(reply register.Reply) {
			if reply.Verdict == register.VerdictYes {
				r.driver.took.observe(r.group[s.Seat], time.Since(sent))
			}
			r.happen(event{seat: s.Seat, tag: s.Tag, reply: reply})
		})
	}
}
