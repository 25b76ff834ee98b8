// Command judge reads a recorded history of users and says whether it is
// linearizable. Exit code 0: it is; 1: it is not, or that could not be decided;
// 2: wrong usage, or a file that is no history.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dyad-db/dyad/tests/history"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.SetOutput(stderr)
	limit := flags.Duration("limit", time.Minute, "give up, undecided, after this long")
	page := flags.String("html", "", "draw an illegal history here (default FILE.html)")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: judge [-limit 1m] [-html PAGE] FILE")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	path := flags.Arg(0)
	if *page == "" {
		*page = path + ".html"
	}
	ops, err := readFile(path)
	if err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 2
	}
	return judge(ops, *limit, *page, stdout, stderr)
}

func judge(ops []history.Operation, limit time.Duration, page string, stdout, stderr io.Writer) int {
	verdict, info := history.Check(ops, limit)
	fmt.Fprintf(stdout, "%s: %s\n", verdict, info)
	switch verdict {
	case history.Linearizable:
		return 0
	case history.Malformed:
		return 2
	case history.Illegal, history.Undecided:
	}
	if err := info.Visualize(page); err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 1
	}
	fmt.Fprintf(stdout, "drawn in %s; open it in a browser\n", page)
	return 1
}

func readFile(path string) ([]history.Operation, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return history.Read(f)
}
