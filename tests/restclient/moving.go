package restclient

import (
	"context"
	"sync/atomic"
	"time"
)

// rest is how long a gateway that did not answer is left alone; then one request
// tries it again.
const rest = time.Second

// moving is what a load balancer does: gateways take turns; one that does not
// answer is left out, and what it left unanswered is sent to another, once.
type moving struct {
	patience atomic.Int64   // nanoseconds for the first gateway to answer; 0: no bound of its own
	until    []atomic.Int64 // per gateway: nanoseconds since the Unix epoch until which it rests; 0: it answers
}

// NewMoving returns a client that sends a request to which no whole reply came
// once more, to another gateway. An answer is an answer, a 503 too: it is never
// asked for twice. The second copy of a change may find the first one carried
// out, at once or any time later: see Result.Doubt.
func NewMoving(timeout time.Duration, baseURLs ...string) *Client {
	c := New(timeout, baseURLs...)
	c.moving = &moving{until: make([]atomic.Int64, len(baseURLs))}
	return c
}

// SetPatience bounds how long a client that moves waits for the first gateway;
// 0, as at the start, means that only a broken connection makes it move.
func (c *Client) SetPatience(d time.Duration) { c.moving.patience.Store(int64(d)) }

// send asks the gateway whose turn it is, and then, at most, one other.
func (m *moving) send(ctx context.Context, turn int, ask func(context.Context, int) attempt) Result {
	gateway := m.pick(turn)
	first := m.first(ctx, gateway, ask)
	if first.whole {
		m.until[gateway].Store(0)
		return first.Result
	}
	m.until[gateway].Store(time.Now().Add(rest).UnixNano())
	other := m.pick(gateway + 1)
	if other == gateway {
		return first.Result
	}
	second := ask(ctx, other)
	second.Moved, second.Doubt = true, first.left
	return second.Result
}

func (m *moving) first(ctx context.Context, gateway int, ask func(context.Context, int) attempt) attempt {
	if patience := time.Duration(m.patience.Load()); patience > 0 && !m.alone(gateway) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return ask(ctx, gateway)
}

// alone reports whether all other gateways rest: then there is nobody better to
// ask than this one.
func (m *moving) alone(gateway int) bool {
	for i := range m.until {
		if i != gateway && m.until[i].Load() == 0 {
			return false
		}
	}
	return true
}

// pick returns the first gateway, from the one whose turn it is, that does not
// rest. One whose rest is over is picked by one request, which finds out.
func (m *moving) pick(turn int) int {
	now := time.Now()
	for i := range m.until {
		gateway := (turn + i) % len(m.until)
		until := m.until[gateway].Load()
		if until == 0 || until < now.UnixNano() && m.until[gateway].CompareAndSwap(until, now.Add(rest).UnixNano()) {
			return gateway
		}
	}
	return turn % len(m.until)
}
