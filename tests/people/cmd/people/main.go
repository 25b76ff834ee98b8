// Command people writes user rows with real-world names as CSV:
//
//	go run ./tests/people/cmd/people -n 100000 > users.csv
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/dyad-db/dyad/tests/people"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("people", flag.ContinueOnError)
	flags.SetOutput(stderr)
	n := flags.Int("n", 1000, "how many rows")
	seed := flags.Uint64("seed", 1, "the same seed makes the same rows")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *n < 0 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "usage: people [-n ROWS] [-seed SEED] > users.csv")
		return 2
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	if err := errors.Join(people.WriteCSV(out, people.Generate(*seed, *n)), out.Flush()); err != nil {
		fmt.Fprintln(stderr, "people:", err)
		return 1
	}
	return 0
}
