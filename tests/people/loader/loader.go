// Package loader stores rows of people through the users API, reads each back,
// and compares.
//
// Invariants:
//   - A row counts as read back only if a GET answered it equal in every field,
//     the name in NFC.
//   - Loading again is harmless: an id that is taken is read and compared like
//     any other.
//   - Only a 503, which says that nothing was applied, is tried again, a few
//     times; every other failure is reported.
package loader

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	maxTries      = 6
	maxRetryAfter = 5 * time.Second
	maxProblems   = 10
)

// Config says how to load.
type Config struct {
	Client      *restclient.Client
	Connections int                // requests at a time, at least 1
	RetryWait   time.Duration      // before the second try, doubled for each further one; 0: 50 ms
	Progress    func(done, of int) // after each request, one call at a time; may be nil
}

// Summary is what came of a load.
type Summary struct {
	Rows     int
	Created  int // 201
	Existing int // 409: there before
	ReadBack int // equal
	Failed   int // neither created nor there, or unreadable
	Differs  int // answers to a create or a read that are not equal to their row
	Took     time.Duration
	Problems []string // the first 10 failures and differences
}

// String is the final line of a load.
func (s Summary) String() string {
	existing, failed := "", ""
	if s.Existing > 0 {
		existing = fmt.Sprintf(" (%d were there)", s.Existing)
	}
	if s.Failed > 0 {
		failed = fmt.Sprintf(", failed %d", s.Failed)
	}
	return fmt.Sprintf("loaded %d%s, read back %d, different %d%s, in %.1f s (%.0f requests/s)",
		s.Created+s.Existing, existing, s.ReadBack, s.Differs, failed, s.Took.Seconds(), s.rate())
}

func (s Summary) rate() float64 {
	return float64(2*s.Rows) / max(s.Took.Seconds(), 1e-9)
}

// Err is nil if every row was stored and read back equal.
func (s Summary) Err() error {
	if s.ReadBack == s.Rows && s.Failed == 0 && s.Differs == 0 {
		return nil
	}
	return errors.New("not every row was stored and read back equal")
}

// Load creates a user for each row, then reads every one. The rows' ids must be
// unique. It returns an error only if ctx ends; what went wrong with the rows
// is in the Summary.
func Load(ctx context.Context, c Config, rows []people.Person) (Summary, error) {
	l := load{Config: c, total: 2 * len(rows), summary: Summary{Rows: len(rows)}}
	if l.RetryWait == 0 {
		l.RetryWait = 50 * time.Millisecond
	}
	start := time.Now()
	err := l.each(ctx, rows, l.create)
	if err == nil {
		err = l.each(ctx, rows, l.compare)
	}
	l.summary.Took = time.Since(start)
	return l.summary, err
}

type load struct {
	Config
	total int // requests to make

	mu      sync.Mutex
	done    int
	summary Summary
}

// each runs step for every row, Connections at a time.
func (l *load) each(ctx context.Context, rows []people.Person, step func(context.Context, people.Person)) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan people.Person)
	group.Go(func() error {
		defer close(queue)
		for _, p := range rows {
			select {
			case queue <- p:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range max(l.Connections, 1) {
		group.Go(func() error {
			for p := range queue {
				step(ctx, p)
				l.advance()
			}
			return nil
		})
	}
	return group.Wait()
}

func (l *load) create(ctx context.Context, p people.Person) {
	result := l.try(ctx, func() restclient.Result { return l.Client.Create(ctx, restclient.User(p)) })
	switch {
	case result.Outcome == restclient.Exists:
		l.note(func(s *Summary) { s.Existing++ })
	case result.Outcome != restclient.OK || result.Err != nil:
		l.fail(p, "create", result)
	default:
		l.note(func(s *Summary) { s.Created++ })
		if *result.User != restclient.User(p.Stored()) {
			l.differ(p, "create", *result.User)
		}
	}
}

func (l *load) compare(ctx context.Context, p people.Person) {
	result := l.try(ctx, func() restclient.Result { return l.Client.Get(ctx, p.ID) })
	switch {
	case result.Outcome != restclient.OK || result.Err != nil:
		l.fail(p, "read", result)
	case *result.User != restclient.User(p.Stored()):
		l.differ(p, "read", *result.User)
	default:
		l.note(func(s *Summary) { s.ReadBack++ })
	}
}

// try sends until something else than a 503 comes back, maxTries times at most.
func (l *load) try(ctx context.Context, send func() restclient.Result) restclient.Result {
	wait := l.RetryWait
	for tries := 1; ; tries++ {
		result := send()
		if result.Status != http.StatusServiceUnavailable || tries == maxTries {
			return result
		}
		timer := time.NewTimer(min(max(wait, result.RetryAfter), maxRetryAfter))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return result
		}
		wait *= 2
	}
}

func (l *load) fail(p people.Person, doing string, result restclient.Result) {
	l.note(func(s *Summary) {
		s.Failed++
		s.problem(fmt.Sprintf("%s %s: %s", doing, p.ID, result))
	})
}

func (l *load) differ(p people.Person, doing string, got restclient.User) {
	l.note(func(s *Summary) {
		s.Differs++
		s.problem(fmt.Sprintf("%s %s: got %s instead of %s", doing, p.ID, show(got), show(restclient.User(p.Stored()))))
	})
}

// show makes visible what differs in names that look alike.
func show(u restclient.User) string {
	return fmt.Sprintf("{%q %+q %q %d}", u.ID, u.Name, u.Email, u.Group)
}

func (s *Summary) problem(what string) {
	if len(s.Problems) < maxProblems {
		s.Problems = append(s.Problems, what)
	}
}

func (l *load) note(change func(*Summary)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.summary)
}

func (l *load) advance() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if l.Progress != nil {
		l.Progress(l.done, l.total)
	}
}
