// Package statusview renders the status of a cluster for people.
//
// Invariants: it is pure; the last line alone says whether the cluster is whole,
// and what is missing otherwise.
package statusview

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dyad-db/dyad/pkg/wire"
)

// Render returns a table of the nodes, below it what needs more words, and "whole"
// or what is missing. now is when s was asked for.
func Render(s wire.ClusterStatus, now time.Time) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) }
	row("NODE", "STATE", "RECORDS", "TOMBSTONES", "HINTS", "ANTI-ENTROPY", "SCRUB", "DISK", "INCARNATION", "BOOTS")
	for _, n := range s.Nodes {
		if !n.Up || n.Status == nil {
			row(n.ID, "down: "+cause(n.Error), "-", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		row(n.ID, string(n.State), count(n.Status.Data.Records), count(n.Status.Data.Tombstones), hints(n.Status.Hints),
			entropy(n.Status.AntiEntropy, now), scrub(n.Status.Scrub, now), size(n.Status.DiskBytes),
			strconv.FormatUint(uint64(n.Status.Incarnation), 10), strconv.FormatUint(n.Status.Boots, 10))
	}
	_ = table.Flush() // a strings.Builder takes everything
	for _, line := range details(s, now) {
		text.WriteString(line + "\n")
	}
	if s.Whole {
		return text.String() + "whole\n"
	}
	return text.String() + oneLine(strings.Join(s.Missing, "; ")) + "\n"
}

// cause returns the end of a chain of errors; the last line shows all of it.
func cause(err string) string {
	parts := strings.Split(oneLine(err), ": ")
	return parts[len(parts)-1]
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func hints(held []wire.HintHolding) string {
	var parts []string
	for _, h := range held {
		if n := h.Count(); n > 0 {
			parts = append(parts, count(n)+" for "+strings.Join(h.For, " or "))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func entropy(f wire.EntropyFindings, now time.Time) string {
	if f.Last == nil {
		return "never"
	}
	return fmt.Sprintf("%s ago, %s healed", ago(*f.Last, now), count(f.Found))
}

func scrub(f wire.ScrubFindings, now time.Time) string {
	if f.Last == nil {
		return "never"
	}
	text := fmt.Sprintf("%s ago, %s damaged", ago(*f.Last, now), count(f.Damaged))
	if f.Damaged > 0 {
		text += ", " + count(f.Healed) + " healed"
	}
	return text
}

// ago writes how long ago something was; clocks may differ.
func ago(at, now time.Time) string { return duration(max(0, now.Sub(at))) }

// duration writes a time span in its two largest units.
func duration(d time.Duration) string {
	day, hour := 24*time.Hour, time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/hour)
	case d >= hour:
		return fmt.Sprintf("%dh%dm", d/hour, d%hour/time.Minute)
	}
	return d.Round(time.Second).String()
}

// count writes n with commas between its thousands.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// size writes a number of bytes with three or four digits.
func size(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	scaled, unit := float64(bytes), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if scaled /= 1000; scaled < 999.95 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", scaled, unit)
}
