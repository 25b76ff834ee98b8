package sim

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report prints what came of the runs, what they met, and what they did not.
func (t *Totals) Report(out io.Writer) {
	r := &t.Sum
	fmt.Fprintf(out, "seeds %d to %d: %d runs in %v, %.0f a second, %d bad\n",
		t.Base, t.Base+t.Runs-1, t.Runs, t.Took.Round(time.Millisecond), float64(t.Runs)/t.Took.Seconds(), t.Bad)
	fmt.Fprintf(out, "operations: %d with a known outcome, %d unknown, %d without a quorum, %d without room; %d events\n",
		r.Operations, r.Unknown, r.Failed, r.NoSpace, r.Events)

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nfaults:\n")
	for f := range faults {
		column(table, int(f), r.Met.Faults[f], f.String())
	}
	end(table, int(faults))
	fmt.Fprintf(out, "\nbranches of the protocol:\n")
	for b := range branches {
		column(table, int(b), r.Met.Branches[b], b.String())
	}
	end(table, int(branches))
	t.reportMissed(out)
}

// column prints a count, three to a line.
func column(table io.Writer, i int, n uint64, name string) {
	fmt.Fprintf(table, "%d\t %-46s\t", n, name)
	if i%3 == 2 {
		fmt.Fprintln(table)
	}
}

func end(table *tabwriter.Writer, columns int) {
	if columns%3 != 0 {
		fmt.Fprintln(table)
	}
	table.Flush()
}

// reportMissed says what no run met.
func (t *Totals) reportMissed(out io.Writer) {
	branches, faults, pairs := t.Sum.Met.Missed()
	met, all := t.Sum.Met.Pairs()
	fmt.Fprintf(out, "\npairs of faults at once: %d of %d met\n", met, all)
	for _, missed := range []struct {
		what  string
		names []string
	}{{"branches", branches}, {"faults", faults}, {"pairs of faults", pairs}} {
		names := "none"
		if len(missed.names) > 0 {
			names = strings.Join(missed.names, "; ")
		}
		fmt.Fprintf(out, "%s not reached: %s\n", missed.what, names)
	}
}
