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

	"github.com/dyad-db/dyad/pkg/wire"
)

// Render returns a table of the nodes, and below it "whole" or what is missing.
func Render(s wire.ClusterStatus) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) }
	row("NODE", "STATE", "RECORDS", "HINTS", "DISK", "BOOTS")
	for _, n := range s.Nodes {
		if !n.Up || n.Status == nil {
			row(n.ID, "down: "+cause(n.Error), "-", "-", "-", "-")
			continue
		}
		row(n.ID, "up", count(n.Status.Data.Records), hints(n.Status.Hints), size(n.Status.DiskBytes),
			strconv.FormatUint(n.Status.Boots, 10))
	}
	_ = table.Flush() // a strings.Builder takes everything
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
		if n := h.Records + h.Tombstones; n > 0 {
			parts = append(parts, count(n)+" for "+strings.Join(h.For, " or "))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
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
