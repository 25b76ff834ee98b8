// Command bugs has the simulator look for every planted bug, and prints a line for
// each: found or missed, by which seed and after how many runs. It exits 0 only if
// each was found, and no seed is bad without the bug.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/dyad-db/dyad/tests/sim/planted"
)

func main() {
	name := flag.String("name", "", "look for this bug only")
	limit := flag.Duration("duration", 10*time.Minute, "give a bug up after so long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missed, err := hunt(ctx, *name, *limit)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bugs:", err)
	}
	if err != nil || missed > 0 {
		stop()
		os.Exit(1)
	}
}

// hunt looks for one bug after the other.
func hunt(ctx context.Context, name string, limit time.Duration) (missed int, err error) {
	dir, err := os.MkdirTemp("", "dyad-bugs-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	hunter, err := planted.Build(ctx, root, dir)
	if err != nil {
		return 0, err
	}
	found := 0
	fmt.Printf("%-7s %4s  %-26s %16s %8s %8s  %s\n", "", "rule", "bug", "seed", "runs", "seconds", "what is left out")
	for _, p := range planted.All() {
		if name != "" && p.Name != name {
			continue
		}
		ok, err := look(ctx, hunter, p, limit)
		if err != nil {
			return missed, err
		}
		if ok {
			found++
		} else {
			missed++
		}
	}
	fmt.Printf("%d planted bugs found, %d missed\n", found, missed)
	return missed, nil
}

// look has the simulator look for one bug, and prints what came of it.
func look(ctx context.Context, hunter *planted.Hunter, p planted.Plant, limit time.Duration) (found bool, err error) {
	begun := time.Now()
	f, err := hunter.Hunt(ctx, p.Name, "-duration", limit.String())
	if err != nil {
		return false, err
	}
	took := time.Since(begun)
	verdict := "MISSED"
	if f.Seed != 0 {
		if found, err = hunter.Good(ctx, f.Seed); err != nil {
			return false, err
		}
		verdict = "found"
		if !found {
			verdict = "BAD" // the seed is, without the bug, too
		}
	}
	rule := "own"
	if p.Rule > 0 {
		rule = fmt.Sprint(p.Rule)
	}
	fmt.Printf("%-7s %4s  %-26s %16d %8d %8.1f  %s\n", verdict, rule, p.Name, f.Seed, f.Runs, took.Seconds(), p.What)
	return found, nil
}
