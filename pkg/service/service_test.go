package service_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/pkg/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type settings struct {
	listen     string
	partitions int
	check      bool
}

func parse(args []string, env map[string]string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("dbnode", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.listen, "listen", "default:1", "")
	flags.IntVar(&s.partitions, "partitions", 64, "")
	flags.BoolVar(&s.check, "health-check", false, "")
	err := service.ParseFlags(flags, args, func(name string) string { return env[name] })
	return s, err
}

func TestFlagThenEnvironmentThenDefault(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  map[string]string
		want settings
	}{
		{nil, nil, settings{"default:1", 64, false}},
		{nil, map[string]string{"DYAD_LISTEN": "env:1", "DYAD_HEALTH_CHECK": "true"}, settings{"env:1", 64, true}},
		{[]string{"--listen", "flag:1"}, map[string]string{"DYAD_LISTEN": "env:1", "DYAD_PARTITIONS": "3"}, settings{"flag:1", 3, false}},
		{[]string{"--partitions=64"}, map[string]string{"DYAD_PARTITIONS": "3"}, settings{"default:1", 64, false}},
		{nil, map[string]string{"DYAD_LISTEN": "", "LISTEN": "other:1"}, settings{"default:1", 64, false}},
	} {
		got, err := parse(c.args, c.env)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func TestWrongUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		says string
	}{
		"unknown flag":         {[]string{"--no-such"}, nil, "no-such"},
		"bad value":            {[]string{"--partitions", "many"}, nil, "many"},
		"not a flag":           {[]string{"start"}, nil, `"start" is not a flag`},
		"bad environment":      {nil, map[string]string{"DYAD_PARTITIONS": "many"}, "DYAD_PARTITIONS"},
		"good flag, bad other": {[]string{"--listen", "x"}, map[string]string{"DYAD_HEALTH_CHECK": "maybe"}, "DYAD_HEALTH_CHECK"},
	} {
		_, err := parse(c.args, c.env)
		require.ErrorIs(t, err, service.ErrUsage, name)
		require.ErrorContains(t, err, c.says, name)
	}
	_, err := parse([]string{"--help"}, nil)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.NotErrorIs(t, err, service.ErrUsage)
}

func TestHelpTellsOfTheEnvironment(t *testing.T) {
	var out strings.Builder
	flags := flag.NewFlagSet("dbnode", flag.ContinueOnError)
	flags.SetOutput(&out)
	flags.String("listen", "", "where to `listen`")
	require.Error(t, service.ParseFlags(flags, []string{"-h"}, func(string) string { return "" }))
	require.Contains(t, out.String(), "DYAD_")
	require.Contains(t, out.String(), "-listen")
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestServeDrains: a request under way when the end comes is answered, and no
// new one is taken.
func TestServeDrains(t *testing.T) {
	l := listen(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "whole")
	})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- service.Serve(ctx, l, handler, service.Linger{}, discard()) }()

	type answer struct {
		body string
		err  error
	}
	answered := make(chan answer, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), http.NoBody)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		reply, err := client.Do(request)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer reply.Body.Close()
		body, err := io.ReadAll(reply.Body)
		answered <- answer{string(body), err}
	}()
	<-entered
	cancel()
	awaitRefusal(t, l.Addr().String())
	select {
	case err := <-served:
		require.Fail(t, "it ended before the request under way did", err)
	default:
	}
	close(leave)
	require.Equal(t, answer{"whole", nil}, <-answered)
	require.NoError(t, <-served)
}

// awaitRefusal waits until nobody listens at address any more.
func awaitRefusal(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			require.NoError(t, ctx.Err())
			return
		}
		require.NoError(t, conn.Close())
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l := listen(t)
	require.NoError(t, l.Close())
	require.Error(t, service.Serve(t.Context(), l, http.NotFoundHandler(), service.Linger{}, discard()))
}

func TestCheckReady(t *testing.T) {
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	go func() { served <- service.Serve(ctx, l, mux, service.Linger{}, discard()) }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, address := range []string{"127.0.0.1:" + port, ":" + port, "0.0.0.0:" + port, "[::]:" + port} {
		require.NoError(t, service.CheckReady(t.Context(), address, "/good"), "what was listened at can be asked: %s", address)
	}
	require.ErrorContains(t, service.CheckReady(t.Context(), l.Addr().String(), "/bad"), "503")
	require.ErrorContains(t, service.CheckReady(t.Context(), l.Addr().String(), "/none"), "404")
	cancel()
	require.NoError(t, <-served)
	require.Error(t, service.CheckReady(t.Context(), l.Addr().String(), "/good"))
	require.Error(t, service.CheckReady(t.Context(), "no port", "/good"))
}

// steps is a worker that does what the test says, one step after the other, and
// nothing more after that.
type steps struct {
	do    []func() (bool, error)
	times []time.Duration
	start time.Time
}

// Step satisfies service.Worker.
func (s *steps) Step(context.Context) (bool, error) {
	s.times = append(s.times, time.Since(s.start))
	if len(s.times) > len(s.do) {
		return false, nil
	}
	return s.do[len(s.times)-1]()
}

// TestWorkerRests: a busy worker goes on at once, one that is idle or failed
// after a while.
func TestWorkerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := func() (bool, error) { return true, nil }
		idle := func() (bool, error) { return false, nil }
		failed := func() (bool, error) { return true, errors.New("broken") }
		w := &steps{do: []func() (bool, error){busy, busy, idle, failed, busy}, start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { service.RunWorker(ctx, w, time.Second, discard()) })
		<-time.NewTimer(2500 * time.Millisecond).C
		cancel()
		all.Wait()
		require.Equal(t, []time.Duration{0, 0, 0, time.Second, 2 * time.Second, 2 * time.Second}, w.times)
	})
}

// TestWorkerLogsErrorsWhenTheyChange, not at every step.
func TestWorkerLogsErrorsWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := func(text string) func() (bool, error) {
			return func() (bool, error) { return false, errors.New(text) }
		}
		var log strings.Builder
		w := &steps{do: []func() (bool, error){
			fail("one"), fail("one"), fail("two"), func() (bool, error) { return false, nil }, fail("two"),
		}}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { service.RunWorker(ctx, w, time.Second, slog.New(slog.NewTextHandler(&log, nil))) })
		<-time.NewTimer(time.Minute).C
		cancel()
		all.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "error=one"))
		require.Equal(t, 2, strings.Count(log.String(), "error=two"))
	})
}
