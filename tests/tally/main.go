// Command tally reads the events of `go test -json` on standard input and prints what a person wants of
// them: a line per package, every skipped test with its reason, the whole output of what failed, and as the
// last line "N passed, N failed, N skipped", subtests included. With -v all output passes through as it comes.
//
// Invariants: it exits 0 only when at least one test passed and nothing failed; a package that does not
// build, panics or runs out of time counts as failed even where no test of it is named.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	verbose := flag.Bool("v", false, "pass all test output through as it comes")
	flag.Parse()
	t := newTally(os.Stdout, *verbose)
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if !t.close() {
		os.Exit(1)
	}
}
