// Command dyad runs a cluster on this machine and asks one how it is.
//
// Invariants: what is asked for goes to standard output, errors and progress to
// standard error; a wrong command line exits with 2.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends dyad at once
	os.Exit(run(ctx))
}
