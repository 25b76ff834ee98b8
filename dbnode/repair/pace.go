package repair

import (
	"context"
	"sync"
	"time"
)

// paceHalts is how long after its last unit a worker counts as halted; units are
// bounded by batchTimeout. paceSpan is how far back its pace reaches, about.
const (
	paceHalts = 2 * batchTimeout
	paceSpan  = 20 * time.Second
)

// Pace is how fast a worker gets on while it does. It is safe for concurrent use.
type Pace struct {
	mu          sync.Mutex
	begun, last time.Time
	units       float64 // done between the two
}

// Did takes in that a piece of work was under way from begun to ended.
func (p *Pace) Did(begun, ended time.Time, units int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if begun.Sub(p.last) > paceHalts {
		p.begun, p.units = begun, 0
	}
	p.last = ended
	p.units += float64(units)
	if span := ended.Sub(p.begun); span > paceSpan { // forget the older half
		p.begun, p.units = p.begun.Add(span/2), p.units/2
	}
}

// PerSecond returns how many units a second are done; 0 while none are.
func (p *Pace) PerSecond(now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.units == 0 || now.Sub(p.last) > paceHalts {
		return 0
	}
	return p.units / max(p.last.Sub(p.begun), time.Millisecond).Seconds()
}

// pause waits for d, or returns why ctx ended before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
