package devcluster_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dyad-db/dyad/pkg/service"
)

// TestMain lets the test binary stand in for the programs of a cluster, under
// their names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "dbnode", "gateway":
		os.Exit(fake())
	}
	// Else every process under the race detector takes a second to end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// What a fake process does, besides being ready and ending on SIGTERM.
const (
	refuses  = "refuses"  // ends at once with exit code 3
	deaf     = "deaf"     // ignores SIGTERM
	mute     = "mute"     // never gets ready
	unsealed = "unsealed" // ends with exit code 4
	watches  = "watches"  // ends with exit code 1 if a node has gone before it
)

// behave makes all processes of that name, started from now on, do as said.
func behave(t *testing.T, name, behaviour string) {
	t.Helper()
	t.Setenv(variable(name), behaviour)
}

func variable(name string) string { return "FAKE_" + strings.ReplaceAll(name, "-", "_") }

func fake() int {
	flags := flag.NewFlagSet("fake", flag.ExitOnError)
	name := flags.String("id", "gateway", "")
	listen := flags.String("listen", "", "")
	nodes := flags.String("nodes", "", "")
	flags.String("engine", "", "")
	flags.String("data", "", "")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	behaviour := os.Getenv(variable(*name))
	if behaviour == refuses {
		fmt.Fprintf(os.Stderr, "%s refuses to run\n", *name)
		return 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if behaviour == deaf {
		ctx = context.WithoutCancel(ctx)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err == nil {
		ready := http.StatusOK
		if behaviour == mute {
			ready = http.StatusServiceUnavailable
		}
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ready) })
		err = service.Serve(ctx, l, handler, service.Linger{}, slog.New(slog.DiscardHandler))
	}
	if err == nil && behaviour == watches {
		err = allReady(ctx, *nodes)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case behaviour == unsealed:
		fmt.Fprintln(os.Stderr, "could not seal the store")
		return 4
	}
	return 0
}

// allReady asks all nodes whether they are ready.
func allReady(ctx context.Context, nodes string) error {
	var errs []error
	for node := range strings.SplitSeq(nodes, ",") {
		_, address, _ := strings.Cut(node, "=http://")
		errs = append(errs, service.CheckReady(context.WithoutCancel(ctx), address, "/readyz"))
	}
	return errors.Join(errs...)
}
