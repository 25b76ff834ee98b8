package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Times are kept in microseconds, to three digits.
const (
	longestTime = int64(requestTimeout / time.Microsecond)
	digits      = 3
	maxReply    = 1 << 20 // bytes
)

func newTimes() *hdrhistogram.Histogram { return hdrhistogram.New(1, longestTime, digits) }

// worker is one client.
type worker struct {
	run *run
	rng *rand.Rand
	own []int // users that it has made and may delete
	buf bytes.Buffer

	mu     sync.Mutex
	times  [operations]*hdrhistogram.Histogram // while it is measured
	recent *hdrhistogram.Histogram             // since it was last asked
	failed [operations]map[string]int64        // by reason, while it is measured
}

func newWorker(r *run, i int) *worker {
	w := &worker{run: r, rng: rand.New(rand.NewPCG(rand.Uint64(), uint64(i))), recent: newTimes()}
	for op := range operations {
		w.times[op], w.failed[op] = newTimes(), map[string]int64{}
	}
	return w
}

// work sends requests until ctx ends. The last one is waited for, so that none
// takes effect after its user was deleted.
func (w *worker) work(ctx context.Context) {
	for {
		due, ok := w.await(ctx)
		if !ok {
			return
		}
		op := w.draw()
		why := w.do(context.WithoutCancel(ctx), op)
		if ctx.Err() != nil {
			return
		}
		w.note(op, time.Since(due), why)
	}
}

// await returns when the next request is due, and waits for that at a rate.
func (w *worker) await(ctx context.Context) (due time.Time, ok bool) {
	if w.run.cfg.Rate == 0 {
		return time.Now(), ctx.Err() == nil
	}
	n := w.run.due.Add(1)
	due = w.run.begin.Add(time.Duration(float64(n) / w.run.cfg.Rate * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return due, false
	case <-timer.C:
		return due, true
	}
}

// draw picks what to do. Only users made during the load are deleted, so that the
// others can be counted on.
func (w *worker) draw() operation {
	n := w.rng.IntN(1000)
	for op, share := range w.run.shares {
		if n < share {
			if operation(op) == opDelete && len(w.own) == 0 {
				return opCreate
			}
			return operation(op)
		}
		n -= share
	}
	panic("bench: the shares of a load make a thousand")
}

// do carries out an operation. It returns why it failed, or nothing.
func (w *worker) do(ctx context.Context, op operation) (why string) {
	some := w.rng.IntN(w.run.cfg.Users)
	if w.run.cfg.Load == "hot" {
		some = 0
	}
	switch op {
	case opRead:
		return w.request(ctx, http.MethodGet, w.path(some), nil, http.StatusOK, `"id":"`+w.id(some)+`"`)
	case opUpdate:
		name := "Bench " + strconv.FormatUint(w.rng.Uint64(), 36)
		body := fmt.Appendf(nil, `{"id":%q,"name":%q}`, w.id(some), name)
		return w.request(ctx, http.MethodPut, "/api/users/", body, http.StatusOK, `"name":"`+name+`"`)
	case opCreate:
		i := int(w.run.created.Add(1)) - 1
		if why = w.create(ctx, i); why == "" {
			w.own = append(w.own, i)
		}
		return why
	case opDelete:
		last := len(w.own) - 1
		i := w.own[last]
		w.own = w.own[:last]
		return w.remove(ctx, i)
	case operations:
	}
	return "no such operation"
}

func (w *worker) id(i int) string   { return w.run.prefix + strconv.Itoa(i) }
func (w *worker) path(i int) string { return "/api/users/" + w.id(i) }

func (w *worker) create(ctx context.Context, i int) (why string) {
	body := fmt.Appendf(nil, `{"id":%q,"name":"Bench User %d","email":"user%d@example.org","group":%d}`, w.id(i), i, i, i%100)
	return w.request(ctx, http.MethodPost, "/api/users/", body, http.StatusCreated, `"id":"`+w.id(i)+`"`)
}

func (w *worker) remove(ctx context.Context, i int) (why string) {
	return w.request(ctx, http.MethodDelete, w.path(i), nil, http.StatusNoContent, "")
}

// request sends a request and checks the answer. It returns why it failed: the
// status, or in a word what became of it.
func (w *worker) request(ctx context.Context, method, path string, body []byte, status int, contains string) (why string) {
	req, err := http.NewRequestWithContext(ctx, method, w.run.cfg.Gateway+path, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.run.client.Do(req)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	w.buf.Reset()
	if _, err := w.buf.ReadFrom(io.LimitReader(resp.Body, maxReply)); err != nil {
		return "no answer"
	}
	switch {
	case resp.StatusCode != status:
		return strconv.Itoa(resp.StatusCode)
	case !bytes.Contains(w.buf.Bytes(), []byte(contains)):
		return "wrong answer"
	}
	return ""
}

func (w *worker) note(op operation, took time.Duration, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	us := min(max(took.Microseconds(), 1), longestTime)
	if why == "" {
		_ = w.recent.RecordValue(us) // within the bounds
	}
	switch {
	case !w.run.measured.Load():
	case why == "":
		_ = w.times[op].RecordValue(us)
	default:
		w.failed[op][why]++
	}
}

// drain moves what came since it was last called to sum, and returns how many
// have failed.
func (w *worker) drain(sum *hdrhistogram.Histogram) (failed int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum.Merge(w.recent)
	w.recent.Reset()
	for op := range operations {
		for _, n := range w.failed[op] {
			failed += n
		}
	}
	return failed
}
