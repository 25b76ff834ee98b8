package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	patience = time.Second     // for one answer
	rest     = 2 * time.Second // that a client leaves a gateway alone which did not answer it, or could not help it
)

// The mix of calls, in percent; the rest deletes. A user is there about two
// thirds of the time.
const (
	shareGet    = 45
	shareCreate = 15
	shareUpdate = 32
)

// worker is one client: one call at a time, through the gateways in turn.
type worker struct {
	n      *nemesis
	number int
	rng    *rand.Rand
	turn   int
	rests  []time.Time // until when each gateway is left alone
	made   int         // values, each of which is written once
}

// run makes calls until ctx ends. A late answer delays the next call and is not
// made up for.
func (w *worker) run(ctx context.Context) {
	timer := time.NewTimer(time.Duration(w.rng.Int64N(int64(time.Second)))) // not all at the same instant
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		begun, load := time.Now(), w.n.load.Load()
		w.step(context.WithoutCancel(ctx), load) // the last call, too, gets its answer
		interval := time.Duration(float64(time.Second) / (w.n.o.PerSecond * load.pace))
		timer.Reset(max(interval-time.Since(begun), 0))
	}
}

// step makes one call and takes note of the answer.
func (w *worker) step(ctx context.Context, load *shape) {
	k := w.n.keys.take(w.slot(load))
	for k == nil {
		k = w.n.keys.take(w.cold())
	}
	gateway := w.pick()
	client := w.n.clients[gateway].Recorded(k.recorder, w.number)
	kind, r := w.call(ctx, client, k.id)
	if r.Outcome == restclient.Unavailable || r.Outcome == restclient.Unknown {
		w.rests[gateway] = time.Now().Add(rest)
	}
	open := r.Outcome == restclient.Unknown || r.Outcome == restclient.OK && r.Err != nil
	w.n.keys.give(k, open && kind != history.KindGet)
	w.n.calls.note(kind, r.Outcome)
	if wrong := wrongReply(r); wrong != "" {
		w.n.judge.note(fmt.Sprintf("%s of %s through %s: %s", kind, k.id, w.n.c.Gateways()[gateway], wrong))
	}
}

// wrongReply says what no reply may be, whatever happens to the cluster.
func wrongReply(r restclient.Result) string {
	switch {
	case r.Status == http.StatusInternalServerError, r.Outcome == restclient.Rejected, r.Outcome == restclient.PreconditionFailed:
		return r.String()
	case r.Err != nil && r.Status != 0 && r.Outcome != restclient.Unknown: // unknown: its connection may have broken
		return "the reply breaks the contract: " + r.String()
	}
	return ""
}

func (w *worker) slot(load *shape) int {
	switch draw := w.rng.IntN(100); {
	case draw < load.hot:
		return 0
	case draw < load.hot+load.warm:
		return 1 + w.rng.IntN(warmKeys)
	}
	return w.cold()
}

func (w *worker) cold() int { return 1 + warmKeys + w.rng.IntN(coldKeys) }

// pick returns the gateway whose turn it is, or the next one if that rests.
func (w *worker) pick() int {
	w.turn++
	for i := range w.rests {
		if gateway := (w.turn + i) % len(w.rests); time.Now().After(w.rests[gateway]) {
			return gateway
		}
	}
	return w.turn % len(w.rests)
}

func (w *worker) call(ctx context.Context, client *restclient.Recorded, id string) (history.Kind, restclient.Result) {
	switch draw := w.rng.IntN(100); {
	case draw < shareGet:
		return history.KindGet, client.Get(ctx, id)
	case draw < shareGet+shareCreate:
		return history.KindCreate, client.Create(ctx, w.patch(7).Apply(restclient.User{ID: id}))
	case draw < shareGet+shareCreate+shareUpdate:
		return history.KindUpdate, client.Update(ctx, id, w.patch(1+w.rng.IntN(7)))
	}
	return history.KindDelete, client.Delete(ctx, id)
}

// patch sets the fields of these three bits to values that nobody wrote before.
func (w *worker) patch(fields int) (p restclient.Patch) {
	w.made++
	name := fmt.Sprintf("c%d-%d", w.number, w.made)
	email, group := name+"@example.com", w.number*1_000_000+w.made
	if fields&1 != 0 {
		p.Name = &name
	}
	if fields&2 != 0 {
		p.Email = &email
	}
	if fields&4 != 0 {
		p.Group = &group
	}
	return p
}
