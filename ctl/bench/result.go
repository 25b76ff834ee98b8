package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what came of a run. Times are in milliseconds.
type Result struct {
	Load     string  `json:"load"`
	Clients  int     `json:"clients"`
	Users    int     `json:"users"`
	Seconds  float64 `json:"seconds"`        // that were measured
	Rate     float64 `json:"rate,omitempty"` // that was asked for, a second
	Requests []Row   `json:"requests"`       // all of them first, then by operation
	Buckets  []Count `json:"histogram"`      // of all
}

// Row is what came of one kind of request.
type Row struct {
	Operation string           `json:"operation"`
	Answered  int64            `json:"answered"` // as they should be
	PerSecond float64          `json:"per_second"`
	Mean      float64          `json:"mean_ms"`
	P50       float64          `json:"p50_ms"`
	P90       float64          `json:"p90_ms"`
	P99       float64          `json:"p99_ms"`
	P999      float64          `json:"p99_9_ms"`
	Max       float64          `json:"max_ms"`
	Failed    map[string]int64 `json:"failed"` // by status, or reason
}

// Count is how many requests took at most so long, and longer than the one before.
type Count struct {
	Upto  float64 `json:"upto_ms"`
	Count int64   `json:"count"`
}

// Failures returns how many requests were not answered as they should be.
func (r Result) Failures() int64 {
	n := int64(0)
	for _, count := range r.Requests[0].Failed {
		n += count
	}
	return n
}

func (r *run) result(lasted time.Duration) Result {
	out := Result{
		Load: r.cfg.Load, Clients: r.cfg.Clients, Users: r.cfg.Users, Rate: r.cfg.Rate,
		Seconds: lasted.Seconds(), Requests: []Row{{}},
	}
	all, failed := newTimes(), map[string]int64{}
	for op := range operations {
		times, reasons := newTimes(), map[string]int64{}
		for _, w := range r.workers {
			times.Merge(w.times[op])
			for why, n := range w.failed[op] {
				reasons[why] += n
				failed[why] += n
			}
		}
		all.Merge(times)
		if times.TotalCount() > 0 || len(reasons) > 0 {
			out.Requests = append(out.Requests, row(op.String(), times, reasons, lasted))
		}
	}
	out.Requests[0] = row("all", all, failed, lasted)
	out.Buckets = buckets(all)
	return out
}

func row(operation string, times *hdrhistogram.Histogram, failed map[string]int64, lasted time.Duration) Row {
	at := func(percentile float64) float64 { return float64(times.ValueAtPercentile(percentile)) / 1000 }
	out := Row{
		Operation: operation, Answered: times.TotalCount(), Failed: failed,
		Mean: times.Mean() / 1000, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(times.Max()) / 1000,
	}
	if lasted > 0 {
		out.PerSecond = float64(out.Answered) / lasted.Seconds()
	}
	return out
}

// buckets counts by times that double.
func buckets(times *hdrhistogram.Histogram) []Count {
	var out []Count
	upto := int64(125) // microseconds
	for _, bar := range times.Distribution() {
		if bar.Count == 0 {
			continue
		}
		for bar.To > upto {
			upto *= 2
			if len(out) > 0 {
				out = append(out, Count{Upto: float64(upto) / 1000})
			}
		}
		if len(out) == 0 {
			out = append(out, Count{Upto: float64(upto) / 1000})
		}
		out[len(out)-1].Count += bar.Count
	}
	return out
}

// widestBar is the length of the longest bar of the histogram.
const widestBar = 50

// Print writes the result for people.
func (r Result) Print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d clients, %d users, %.1f s", r.Load, r.Clients, r.Users, r.Seconds)
	if r.Rate > 0 {
		fmt.Fprintf(out, ", %g requests a second", r.Rate)
	}
	fmt.Fprint(out, "\n\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tanswered\t/s\tmean ms\tp50\tp90\tp99\tp99.9\tmax\tfailed\t")
	for _, q := range r.Requests {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t\n",
			q.Operation, q.Answered, q.PerSecond, q.Mean, q.P50, q.P90, q.P99, q.P999, q.Max, reasons(q.Failed))
	}
	_ = table.Flush() // as with any printing: who closed our output wants to know no more
	fmt.Fprintln(out)
	most := int64(1)
	for _, b := range r.Buckets {
		most = max(most, b.Count)
	}
	for _, b := range r.Buckets {
		bar := strings.Repeat("#", int((b.Count*widestBar+most-1)/most))
		fmt.Fprintf(out, "%10.3g ms  %-*s %d\n", b.Upto, widestBar, bar, b.Count)
	}
}

// reasons renders failures as "0" or "3 x 503, 1 x no answer".
func reasons(failed map[string]int64) string {
	if len(failed) == 0 {
		return "0"
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(failed)) {
		parts = append(parts, fmt.Sprintf("%d x %s", failed[why], why))
	}
	return strings.Join(parts, ", ")
}
