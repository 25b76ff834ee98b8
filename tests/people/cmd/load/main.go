// Command load stores the users of a CSV file through a running gateway, reads
// each back and compares:
//
//	go run ./tests/people/cmd/load -gateway http://127.0.0.1:8080 -c 32 users.csv
//
// Exit code 0: every user is there and equal; 1: something failed or differs;
// 2: wrong usage or an unreadable file. Running it again is harmless.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/people/loader"
	"github.com/dyad-db/dyad/tests/restclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	info, err := os.Stderr.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, terminal)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments; terminal says whether stderr
// is one and may show progress.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, terminal bool) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	gateways := flags.String("gateway", "http://127.0.0.1:8080", "the gateway's URL; several with commas between take turns")
	connections := flags.Int("c", 32, "requests at a time, 1 to 1024")
	timeout := flags.Duration("timeout", 10*time.Second, "how long to wait for one reply")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: load [-gateway URL] [-c 32] FILE.csv (or - for standard input)")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() != 1 || *connections < 1 || *connections > 1024 {
		flags.Usage()
		return 2
	}
	rows, err := read(flags.Arg(0), stdin)
	if err != nil {
		fmt.Fprintln(stderr, "load:", err)
		return 2
	}
	client := restclient.New(*timeout, strings.Split(*gateways, ",")...)
	defer client.Close()
	config := loader.Config{Client: client, Connections: *connections}
	if terminal {
		config.Progress = progress(stderr)
	}
	summary, err := loader.Load(ctx, config, rows)
	return report(summary, err, stdout, stderr)
}

func report(summary loader.Summary, stopped error, stdout, stderr io.Writer) int {
	for _, problem := range summary.Problems {
		fmt.Fprintln(stderr, problem)
	}
	fmt.Fprintln(stdout, summary)
	if err := errors.Join(stopped, summary.Err()); err != nil {
		fmt.Fprintf(stderr, "load: %v; running it again is harmless\n", err)
		return 1
	}
	return 0
}

// progress shows the share done, at each whole percent.
func progress(w io.Writer) func(done, of int) {
	shown := -1
	return func(done, of int) {
		percent := 100 * done / of
		if percent == shown {
			return
		}
		shown = percent
		fmt.Fprintf(w, "\r%3d %% of %d requests", percent, of)
		if done == of {
			fmt.Fprintln(w)
		}
	}
}

func read(path string, stdin io.Reader) ([]people.Person, error) {
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	var rows []people.Person
	for p, err := range people.ReadCSV(from) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, p)
	}
	return rows, nil
}
