package nemesis

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
)

const (
	checkLimit  = 30 * time.Second // for one user's history; most take less than a millisecond
	queueLength = 64               // retired keys that wait to be judged; clients wait when there are more
	maxFindings = 10               // that a report names
	readers     = 16               // at a time, at the end
	readTries   = 5                // for one user, at the end
)

// judge judges retired keys while the clients go on, and each of them once more
// at the end, with its last read. It is safe for concurrent use.
type judge struct {
	dir   string
	clock func() int64
	queue chan *key
	ended chan struct{}

	archive []archived // of the judging goroutine until it has ended

	mu       sync.Mutex
	findings []string
	missed   int // findings that were not kept
	stats    judged
}

// judged is what was judged so far.
type judged struct {
	Keys, Operations, Open int
	Longest                time.Duration // for one key
}

// archived is a key that was judged: its log, compressed, about a tenth of it.
type archived struct {
	id  string
	log []byte
}

func newJudge(dir string, clock func() int64) *judge {
	j := &judge{dir: dir, clock: clock, queue: make(chan *key, queueLength), ended: make(chan struct{})}
	go func() {
		defer close(j.ended)
		for k := range j.queue {
			ops := k.recorder.History()
			j.check(k.id, ops, true)
			log, err := pack(ops)
			if err != nil {
				j.note(fmt.Sprintf("keep the history of %s: %v", k.id, err))
			}
			j.archive = append(j.archive, archived{k.id, log})
		}
	}()
	return j
}

// take takes a key that is retired. It waits while too many wait already.
func (j *judge) take(k *key) { j.queue <- k }

// close judges what still waits.
func (j *judge) close() {
	close(j.queue)
	<-j.ended
}

// check judges one history and leaves it in the directory if it is not right.
func (j *judge) check(id string, ops []history.Operation, first bool) {
	begun := time.Now()
	verdict, info := history.Check(ops, checkLimit)
	took := time.Since(begun)
	j.mu.Lock()
	j.stats.Longest = max(j.stats.Longest, took)
	if first {
		j.stats.Keys++
		j.stats.Operations += info.Operations
		j.stats.Open += info.Open
	}
	j.mu.Unlock()
	if verdict == history.Linearizable {
		return
	}
	files, err := info.Keep(ops, j.dir, id)
	if err != nil {
		files += fmt.Sprintf(" (%v)", err)
	}
	j.note(fmt.Sprintf("the history of %s is %s: %s; kept in %s", id, verdict, info, files))
}

// note takes a finding: the run is not good.
func (j *judge) note(finding string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.findings) == maxFindings {
		j.missed++
		return
	}
	j.findings = append(j.findings, finding)
}

// found returns the findings so far.
func (j *judge) found() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := append([]string(nil), j.findings...)
	if j.missed > 0 {
		found = append(found, fmt.Sprintf("and %d more", j.missed))
	}
	return found
}

func (j *judge) sum() judged {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// last reads every user once more, as the client of that number and those after
// it, and judges each history with that read. It returns the ids of those that
// are there. The judge must be closed.
func (j *judge) last(ctx context.Context, number int, clients []*restclient.Client) (there []string) {
	there = []string{} // none is not the same as no matter which
	var mu sync.Mutex
	var next atomic.Int64
	var reading sync.WaitGroup
	for r := range readers {
		reading.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(j.archive); i = int(next.Add(1)) - 1 {
				if j.lastOf(ctx, j.archive[i], number+r, clients) {
					mu.Lock()
					there = append(there, j.archive[i].id)
					mu.Unlock()
				}
			}
		})
	}
	reading.Wait()
	return there
}

func (j *judge) lastOf(ctx context.Context, a archived, number int, clients []*restclient.Client) (there bool) {
	ops, err := unpack(a.log)
	if err != nil {
		j.note(fmt.Sprintf("read the history of %s again: %v", a.id, err))
		return false
	}
	recorder := history.NewRecorder(j.clock)
	answered := false
	for try := 0; try < readTries && !answered; try++ {
		r := clients[try%len(clients)].Recorded(recorder, number).Get(ctx, a.id)
		there = r.Outcome == restclient.OK && r.Err == nil
		answered = there || r.Outcome == restclient.NotFound
	}
	if !answered {
		j.note(a.id + " is not answered, although all is at rest")
	}
	j.check(a.id, append(ops, recorder.History()...), false)
	return there
}

// pack compresses the log of a history.
func pack(ops []history.Operation) ([]byte, error) {
	var log bytes.Buffer
	w := gzip.NewWriter(&log)
	if err := history.Write(w, ops); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return log.Bytes(), nil
}

func unpack(log []byte) ([]history.Operation, error) {
	r, err := gzip.NewReader(bytes.NewReader(log))
	if err != nil {
		return nil, err
	}
	return history.Read(r)
}
