package latency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient"
)

// The mix of requests, in percent; the rest deletes.
const (
	shareGet    = 40
	shareCreate = 20
	shareUpdate = 25
)

// shareMissing is how many of a hundred requests are aimed at the wrong kind of
// id on purpose: a create at one that is taken, anything else at one that was
// deleted. 409 and 404 are then the right answer.
const shareMissing = 10

// maxProblems bounds how many failures a run describes.
const maxProblems = 20

// Config says who asks, whom, and how fast.
type Config struct {
	Client    *restclient.Client
	Clients   int
	PerSecond float64              // requests of one client, which waits for each answer
	Shared    []restclient.User    // stored before, read by all, changed by none
	NewUser   func() people.Person // rows for creates, their ids unique; called by one client at a time
	PIDs      func() []int         // the cluster's processes, for the table; may be nil
}

// Workload is clients that send all kinds of requests, each sure of what the
// answer has to be: nobody else writes to a client's own ids.
type Workload struct {
	config  Config
	clients []*client
	rows    sync.Mutex   // guards config.NewUser
	phase   atomic.Int32 // index of the present one
	phases  []phase      // for Enter and Report, which one goroutine calls

	requests, bad atomic.Int64 // answered so far, and of them: failed or wrong

	mu       sync.Mutex
	problems []string
	kept     []restclient.User // users that nobody changes any more
	removed  []string          // ids that were deleted, and not by a client
}

// sample is one request.
type sample struct {
	phase int32
	took  time.Duration
	end   verdict
	moved bool // answered by a second gateway
	doubt bool // a change, moved, that the first gateway may carry out as well
}

// verdict is how a request came out.
type verdict uint8

const (
	correct verdict = iota
	wrong           // answered, but not with the truth
	failed          // 5xx or no answer
)

// client is one of the askers. live and gone are its books: what each of its
// ids must answer.
type client struct {
	w       *Workload
	rng     *rand.Rand
	live    []restclient.User
	gone    []string
	samples []sample
}

// New returns a workload. Enter a phase before Run.
func New(c Config) *Workload {
	w := &Workload{config: c}
	w.phase.Store(-1)
	for i := range c.Clients {
		w.clients = append(w.clients, &client{w: w, rng: rand.New(rand.NewPCG(uint64(i), 1))})
	}
	return w
}

// Run sends requests until ctx ends, and returns when the last was answered.
func (w *Workload) Run(ctx context.Context) {
	interval := time.Duration(float64(time.Second) / w.config.PerSecond)
	var wg sync.WaitGroup
	for _, c := range w.clients {
		wg.Go(func() { c.run(ctx, interval) })
	}
	wg.Wait()
}

// run sends one request per interval. A late answer delays the next request and
// is not made up for.
func (c *client) run(ctx context.Context, interval time.Duration) {
	timer := time.NewTimer(time.Duration(c.rng.Int64N(int64(interval)))) // not all at the same instant
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		// The last request is answered in full although the run is over.
		c.step(context.WithoutCancel(ctx))
		timer.Reset(max(interval-time.Since(start), 0))
	}
}

// step sends one request and judges its answer.
func (c *client) step(ctx context.Context) {
	missing := c.rng.IntN(100) < shareMissing
	switch draw := c.rng.IntN(100); {
	case draw < shareGet:
		c.get(ctx, missing)
	case draw < shareGet+shareCreate || len(c.live) == 0:
		c.create(ctx, missing)
	case draw < shareGet+shareCreate+shareUpdate:
		c.update(ctx, missing)
	default:
		c.remove(ctx, missing)
	}
}

func (c *client) get(ctx context.Context, missing bool) {
	switch {
	case missing && len(c.gone) > 0:
		id := c.gone[c.rng.IntN(len(c.gone))]
		c.judge("get", id, restclient.NotFound, nil, c.w.config.Client.Get(ctx, id))
	case len(c.live) > 0 && c.rng.IntN(3) > 0:
		i := c.rng.IntN(len(c.live))
		u := c.live[i]
		if c.judge("get", u.ID, restclient.OK, &u, c.w.config.Client.Get(ctx, u.ID)) != correct {
			c.forget(i) // told once is enough
		}
	default:
		u := c.w.config.Shared[c.rng.IntN(len(c.w.config.Shared))]
		c.judge("get", u.ID, restclient.OK, &u, c.w.config.Client.Get(ctx, u.ID))
	}
}

func (c *client) create(ctx context.Context, missing bool) {
	row := c.w.newUser()
	if missing && len(c.live) > 0 {
		i := c.rng.IntN(len(c.live))
		row.ID = c.live[i].ID
		got := c.w.config.Client.Create(ctx, restclient.User(row))
		c.judge("create", row.ID, restclient.Exists, nil, got)
		if got.Doubt { // the first copy would create the user anew, once it is deleted
			c.w.keep(c.live[i])
			c.forget(i)
		}
		return
	}
	want := restclient.User(row.Stored())
	got := c.w.config.Client.Create(ctx, restclient.User(row))
	switch {
	case got.Doubt && got.Outcome == restclient.Exists: // the first copy was carried out
		c.note(got, correct)
		c.w.keep(want)
	case c.judge("create", row.ID, restclient.OK, &want, got) != correct:
	case got.Doubt:
		c.w.keep(want)
	default:
		c.live = append(c.live, want)
	}
}

func (c *client) update(ctx context.Context, missing bool) {
	patch := c.patch()
	if missing && len(c.gone) > 0 {
		id := c.gone[c.rng.IntN(len(c.gone))]
		c.judge("update", id, restclient.NotFound, nil, c.w.config.Client.Update(ctx, id, patch))
		return
	}
	i := c.rng.IntN(len(c.live))
	u := c.live[i]
	want := patch.Apply(u)
	got := c.w.config.Client.Update(ctx, u.ID, patch)
	if c.judge("update", u.ID, restclient.OK, &want, got) != correct {
		c.forget(i)
		return
	}
	c.live[i] = want
	if got.Doubt {
		c.w.keep(want)
		c.forget(i)
	}
}

// patch is any non-empty subset of a new user's fields.
func (c *client) patch() restclient.Patch {
	row := c.w.newUser().Stored()
	var p restclient.Patch
	fields := 1 + c.rng.IntN(7) // three bits, not all clear
	if fields&1 != 0 {
		p.Name = &row.Name
	}
	if fields&2 != 0 {
		p.Email = &row.Email
	}
	if fields&4 != 0 {
		p.Group = &row.Group
	}
	return p
}

func (c *client) remove(ctx context.Context, missing bool) {
	if missing && len(c.gone) > 0 {
		id := c.gone[c.rng.IntN(len(c.gone))]
		c.judge("delete", id, restclient.NotFound, nil, c.w.config.Client.Delete(ctx, id))
		return
	}
	i := c.rng.IntN(len(c.live))
	id := c.live[i].ID
	got := c.w.config.Client.Delete(ctx, id)
	end := correct
	if got.Doubt && got.Outcome == restclient.NotFound { // the first copy was carried out
		c.note(got, correct)
	} else {
		end = c.judge("delete", id, restclient.OK, nil, got)
	}
	if end == correct {
		c.gone = append(c.gone, id)
	}
	c.forget(i)
}

// forget strikes an id out of the books: it was deleted, or an answer about it
// was not right, which leaves its state in doubt.
func (c *client) forget(i int) {
	c.live[i] = c.live[len(c.live)-1]
	c.live = c.live[:len(c.live)-1]
}

// judge notes how a request came out.
func (c *client) judge(doing, id string, want restclient.Outcome, user *restclient.User, got restclient.Result) verdict {
	end := c.w.judge(doing, id, want, user, got)
	if doing == "get" {
		got.Doubt = false // harmless, however often it is carried out
	}
	c.note(got, end)
	return end
}

func (c *client) note(got restclient.Result, end verdict) {
	c.w.requests.Add(1)
	if end != correct {
		c.w.bad.Add(1)
	}
	c.samples = append(c.samples, sample{phase: c.w.phase.Load(), took: got.Took, end: end, moved: got.Moved, doubt: got.Doubt})
}

// keep has a user read, and no longer changed, once a change of it was sent
// twice: the first copy may still be carried out. As long as nothing else
// changes the user, and no deleted id is created again, that alters nothing.
func (w *Workload) keep(u restclient.User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, u)
}

// judge compares an answer with the truth and describes what is not right.
func (w *Workload) judge(doing, id string, want restclient.Outcome, user *restclient.User, got restclient.Result) verdict {
	right := got.Err == nil && got.Outcome == want && (got.User == nil) == (user == nil) && (user == nil || *got.User == *user)
	if right {
		return correct
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, fmt.Sprintf("%s %s %s took %v: want %s%s, got %s%s",
			got.Start.Format("15:04:05.000"), doing, id, got.Took.Round(time.Millisecond), want, show(user), got, show(got.User)))
	}
	if got.Outcome == restclient.Unavailable || got.Outcome == restclient.Unknown {
		return failed
	}
	return wrong
}

func show(u *restclient.User) string {
	if u == nil {
		return ""
	}
	return fmt.Sprintf(" {%q %+q %q %d}", u.ID, u.Name, u.Email, u.Group)
}

func (w *Workload) newUser() people.Person {
	w.rows.Lock()
	defer w.rows.Unlock()
	return w.config.NewUser()
}

// Users returns every user that has to exist, Gone every id that must not. Call
// them after Run.
func (w *Workload) Users() []restclient.User {
	users := slices.Concat(w.config.Shared, w.kept)
	for _, c := range w.clients {
		users = append(users, c.live...)
	}
	return users
}

// Gone is described at Users.
func (w *Workload) Gone() []string {
	gone := slices.Clone(w.removed)
	for _, c := range w.clients {
		gone = append(gone, c.gone...)
	}
	return gone
}

// Compare reads every id in the books, and every shared one, and returns how
// many there are, how many of them exist, and how many answered wrongly or not
// at all. Call it after Run.
func (w *Workload) Compare(ctx context.Context) (compared, existing, different int) {
	users, gone := w.Users(), w.Gone()
	var wrong atomic.Int64
	check := func(id string, want restclient.Outcome, user *restclient.User) {
		if w.judge("compare", id, want, user, w.config.Client.Get(ctx, id)) != correct {
			wrong.Add(1)
		}
	}
	inParallel(len(users), func(i int) { check(users[i].ID, restclient.OK, &users[i]) })
	inParallel(len(gone), func(i int) { check(gone[i], restclient.NotFound, nil) })
	return len(users) + len(gone), len(users), int(wrong.Load())
}

// inParallel calls do for 0 to n-1, a bounded number of them at a time.
func inParallel(n int, do func(i int)) {
	const connections = 16
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(connections, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// Progress returns how many requests were answered so far, and how many of them
// failed or were wrong.
func (w *Workload) Progress() (requests, bad int64) { return w.requests.Load(), w.bad.Load() }

// Problems describes the first failures and wrong answers.
func (w *Workload) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.problems...)
}
