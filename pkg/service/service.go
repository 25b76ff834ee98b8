// Package service is the frame of a program: flags with environment variables,
// signals, an HTTP server that drains, and background workers.
//
// Invariants: every goroutine started here is waited for before the function
// that started it returns; only Main exits the process.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// EnvPrefix precedes the name of a flag's environment variable: --listen is
// DYAD_LISTEN.
const EnvPrefix = "DYAD_"

// drainTimeout bounds how long a server waits for requests under way to end.
const drainTimeout = 5 * time.Second

// gcPercent lets the heap grow fivefold between collections, unless GOGC says
// otherwise: what lives is a few megabytes, what each request leaves is much.
const gcPercent = 400

// Main runs a program until it ends, or until SIGINT or SIGTERM ends ctx, and
// exits: 0 when run returned nil, 2 when the command line was wrong, else 1.
func Main(run func(ctx context.Context, logger *slog.Logger) error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, logger)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case errors.Is(err, ErrUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		logger.Error("stopped", slog.Any("error", err))
		os.Exit(1)
	}
}

// ErrUsage says that the command line or the environment is wrong.
var ErrUsage = errors.New("wrong usage")

// Usage marks err as a mistake in the command line or the environment.
func Usage(err error) error { return fmt.Errorf("%w: %w", ErrUsage, err) }

// ParseFlags parses args and takes what they don't set from the environment
// (getenv, DYAD_…). The error wraps ErrUsage or flag.ErrHelp.
func ParseFlags(flags *flag.FlagSet, args []string, getenv func(string) string) error {
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "%s takes these flags, each also as an environment variable %sNAME:\n", flags.Name(), EnvPrefix)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return Usage(err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: %q is not a flag", ErrUsage, flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var failed error
	flags.VisitAll(func(f *flag.Flag) {
		name := EnvPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := getenv(name)
		if given[f.Name] || value == "" || failed != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			failed = fmt.Errorf("%w: %s: %w", ErrUsage, name, err)
		}
	})
	return failed
}

// Serve answers requests on l until ctx ends, then stops as slowly as linger says
// and lets the requests under way end.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, linger Linger, logger *slog.Logger) error {
	if linger.Streams != nil {
		defer linger.Streams.Close()
	}
	conns, bye := newOpenConns(), &farewell{next: handler}
	l = &once{Listener: l}
	server := &http.Server{
		Handler:           bye,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ConnState:         conns.note,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	conns.awaitNone(linger.Unready)
	// Who can't connect tries elsewhere and has lost nothing. So the listener goes
	// before clients are told to connect anew.
	err := l.Close()
	bye.saying.Store(true)
	said := time.Now()
	if linger.Streams != nil {
		linger.Streams.Farewell()
	}
	conns.awaitNone(linger.Farewell)
	if linger.Streams != nil {
		linger.Streams.Wait(max(0, linger.Farewell-time.Since(said)))
	}
	conns.hurry()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if downErr := server.Shutdown(drain); downErr != nil {
		err = errors.Join(err, downErr, server.Close())
	}
	_ = <-ended // its listener was closed: that is all it says
	return err
}

// CheckReady asks the program that listens at address for path, as a
// container's health check does.
func CheckReady(ctx context.Context, address, path string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return err
	}
	reply, err := io.ReadAll(io.LimitReader(conn, 4<<10))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(reply), "\r\n")
	if _, code, _ := strings.Cut(line, " "); !strings.HasPrefix(code, "200") {
		return fmt.Errorf("not ready: %s", line)
	}
	return nil
}

// Worker does background work in units.
type Worker interface {
	// Step does one bounded unit of work; busy says that more is waiting.
	Step(ctx context.Context) (busy bool, err error)
}

// RunWorker steps w until ctx ends: again at once while it is busy, after idle
// otherwise. It logs errors when they change, and goes on.
func RunWorker(ctx context.Context, w Worker, idle time.Duration, logger *slog.Logger) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		busy, err := w.Step(ctx)
		text := ""
		if err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != last && text != "" {
			logger.WarnContext(ctx, "background work failed; it will be tried again", slog.String("error", text))
		}
		last = text
		if busy && err == nil {
			timer.Reset(0)
		} else {
			timer.Reset(idle)
		}
	}
}
