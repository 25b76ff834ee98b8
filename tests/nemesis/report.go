package nemesis

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/restclient"
)

// window is the stretch of time over which the lowest rate is taken, in seconds.
const window = 10

// Ends counts how the calls of one kind ended.
type Ends struct {
	Done    int
	Refused int // exists, not found
	Unknown int // no answer, or one that says so
	Failed  int // certain: nothing was applied
}

func (e Ends) sum() int { return e.Done + e.Refused + e.Unknown + e.Failed }

// calls counts calls by kind and end, and by the second in which they were
// answered. It is safe for concurrent use.
type calls struct {
	mu       sync.Mutex
	begun    time.Time
	seconds  int // that are over, once the clients have ended
	ends     map[history.Kind]Ends
	answered []int // done or refused, in each second
}

func newCalls() *calls { return &calls{begun: time.Now(), ends: map[history.Kind]Ends{}} }

func (c *calls) note(kind history.Kind, outcome restclient.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ends[kind]
	switch outcome {
	case restclient.OK:
		e.Done++
	case restclient.Exists, restclient.NotFound:
		e.Refused++
	case restclient.Unknown:
		e.Unknown++
	case restclient.Unavailable, restclient.Rejected, restclient.PreconditionFailed:
		e.Failed++
	}
	c.ends[kind] = e
	if outcome == restclient.OK || outcome == restclient.Exists || outcome == restclient.NotFound {
		c.count(int(time.Since(c.begun) / time.Second))
	}
}

func (c *calls) count(second int) {
	for len(c.answered) <= second {
		c.answered = append(c.answered, 0)
	}
	c.answered[second]++
}

// end ends the time over which rates are taken.
func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seconds == 0 {
		c.seconds = int(time.Since(c.begun) / time.Second)
	}
}

// lowest returns the least rate of answers, a second, over any ten whole seconds
// in a row, and when those began; the rate of all where there are fewer.
func (c *calls) lowest() (rate float64, at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seconds := c.seconds
	if seconds == 0 {
		seconds = int(time.Since(c.begun) / time.Second)
	}
	if seconds == 0 {
		return 0, 0
	}
	answered := make([]int, seconds) // a second in which none came is one all the same
	copy(answered, c.answered)
	width := min(window, len(answered))
	for i := 0; i+width <= len(answered); i++ {
		sum := 0
		for _, n := range answered[i : i+width] {
			sum += n
		}
		if r := float64(sum) / float64(width); i == 0 || r < rate {
			rate, at = r, time.Duration(i)*time.Second
		}
	}
	return rate, at
}

// Report is what a run has to show.
type Report struct {
	Seed     uint64
	Took     time.Duration
	Calls    map[history.Kind]Ends
	Lowest   float64       // answers a second, in the worst ten seconds
	LowestAt time.Duration // from the start of the load
	Faults   map[string]int
	Loads    map[string]int // how often the load was shifted to each
	Judged   judged
	ToWhole  time.Duration // after the last fault
	Audit    string        // what the nodes hold at the end
	Findings []string      // none: all is as it should be
}

func (n *nemesis) sum() Report {
	r := n.report
	r.Took, r.Judged, r.Findings = time.Since(n.begun), n.judge.sum(), n.judge.found()
	r.Lowest, r.LowestAt = n.calls.lowest()
	n.calls.mu.Lock()
	defer n.calls.mu.Unlock()
	r.Calls = maps.Clone(n.calls.ends)
	return r
}

// progress is one line for whoever waits.
func (r Report) progress() string {
	total := 0
	for _, e := range r.Calls {
		total += e.sum()
	}
	return fmt.Sprintf("so far: %v, %d operations, at least %.0f/s answered over any %d s; %d users judged; faults: %s",
		r.Took.Round(time.Second), total, r.Lowest, window, r.Judged.Keys, list(r.Faults))
}

// String shows the report to a reader.
func (r Report) String() string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "SEED=%d, %v\n", r.Seed, r.Took.Round(time.Second))
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "operation\tdone\trefused\tunknown\tfailed\t")
	total := 0
	for _, kind := range []history.Kind{history.KindCreate, history.KindGet, history.KindUpdate, history.KindDelete} {
		e := r.Calls[kind]
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t\n", kind, e.Done, e.Refused, e.Unknown, e.Failed)
		total += e.sum()
	}
	_ = out.Flush() // into memory
	fmt.Fprintf(&text, "%d operations; answered: %.0f/s in the worst %d s, %v after the start\n", total, r.Lowest, window, r.LowestAt)
	fmt.Fprintf(&text, "faults: %s\nload shifted to: %s\n", list(r.Faults), list(r.Loads))
	fmt.Fprintf(&text, "judged: %d users, %d operations, %d writes without an answer; the longest took %v\n",
		r.Judged.Keys, r.Judged.Operations, r.Judged.Open, r.Judged.Longest.Round(time.Millisecond))
	if r.Audit != "" {
		fmt.Fprintf(&text, "whole, without a deletion still kept, %.1f s after the load; from the nodes themselves: %s\n", r.ToWhole.Seconds(), r.Audit)
	}
	switch {
	case len(r.Findings) > 0:
		fmt.Fprintf(&text, "verdict: NOT good:\n%s", strings.Join(r.Findings, "\n"))
	case r.Audit == "":
		fmt.Fprint(&text, "verdict: none, the run did not come to its end")
	default:
		fmt.Fprint(&text, "verdict: linearizable, and the nodes hold what they have to")
	}
	return text.String()
}

// list writes counts in the order of their names, with their sum.
func list(counts map[string]int) string {
	var words []string
	total := 0
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", name, counts[name]))
		total += counts[name]
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(words, ", "))
}
