package nodeclient

import (
	"sync"
	"time"
)

// typicalSpan is how far back the typical reply looks, about.
const typicalSpan = time.Second

// typical is a moving average of how long replies took. It weighs by time, so
// that after an idle while the next reply says all.
type typical struct {
	mu      sync.Mutex
	average time.Duration
	last    time.Time
}

func (t *typical) note(now time.Time, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	weight := min(1, max(0, now.Sub(t.last).Seconds()/typicalSpan.Seconds()))
	t.average += time.Duration(weight * float64(took-t.average))
	t.last = now
}

func (t *typical) get() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.average
}
