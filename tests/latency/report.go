package latency

import (
	"bytes"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// phase is a stretch of time with a name, from when it was entered until the
// next one is.
type phase struct {
	name  string
	start time.Time
	cpu   cpuTime
	ours  map[int]uint64 // ticks of each process of the test, by id
}

// Row is what happened in one phase. Durations are zero where there was no
// request.
type Row struct {
	Phase             string
	Length            time.Duration
	Requests          int
	Failed            int // 5xx or no answer
	Wrong             int // answered, but not with the truth
	Late              int // took longer than the limit
	Moved             int // not answered by the first gateway, and by the second
	Doubt             int // of those: changes that the first may carry out as well
	Slowest, P50, P99 time.Duration
	Busy              float64 // share of all processors' time that anything used, 0 to 1
	Others            float64 // of it: used by neither the clients nor the cluster
}

// Enter starts the next phase. A request belongs to the phase in which its
// answer came.
func (w *Workload) Enter(name string) {
	w.phases = append(w.phases, phase{name: name, start: time.Now(), cpu: readCPU(), ours: w.ticks()})
	w.phase.Add(1)
}

// Report sums up each phase. The last phase entered ends now and is left out:
// it only marks the end. Call it after Run.
func (w *Workload) Report(limit time.Duration) []Row {
	rows := make([]Row, max(len(w.phases)-1, 0))
	took := make([][]time.Duration, len(w.phases))
	for i := range rows {
		this, next := w.phases[i], w.phases[i+1]
		rows[i] = Row{Phase: this.name, Length: next.start.Sub(this.start)}
		rows[i].Busy, rows[i].Others = next.share(this)
	}
	for _, c := range w.clients {
		for _, s := range c.samples {
			at := min(int(s.phase), len(rows)-1) // answered after the end: the last phase's
			took[at] = append(took[at], s.took)
			rows[at].count(s, limit)
		}
	}
	for i := range rows {
		rows[i].rank(took[i])
	}
	return rows
}

func (r *Row) count(s sample, limit time.Duration) {
	r.Requests++
	switch s.end {
	case correct:
	case wrong:
		r.Wrong++
	case failed:
		r.Failed++
	}
	if s.took > limit {
		r.Late++
	}
	if s.moved {
		r.Moved++
	}
	if s.doubt {
		r.Doubt++
	}
}

// rank fills in the order statistics: the p-th percentile is the smallest
// duration that at least p percent of the requests did not exceed.
func (r *Row) rank(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	r.P50, r.P99 = took[(len(took)*50+99)/100-1], took[(len(took)*99+99)/100-1]
	r.Slowest = took[len(took)-1]
}

// Table shows the rows as aligned text.
func Table(rows []Row) string {
	var text bytes.Buffer
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "phase\tseconds\trequests\t/s\tfailed\twrong\tmoved\tlate\tp50 ms\tp99 ms\tslowest ms\tCPU %\tby others\t")
	for _, r := range rows {
		fmt.Fprintf(out, "%s\t%.1f\t%d\t%.0f\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t\n",
			r.Phase, r.Length.Seconds(), r.Requests, float64(r.Requests)/max(r.Length.Seconds(), 1e-9),
			r.Failed, r.Wrong, r.Moved, r.Late, ms(r.P50), ms(r.P99), ms(r.Slowest), 100*r.Busy, 100*r.Others)
	}
	_ = out.Flush() // into memory
	return text.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
