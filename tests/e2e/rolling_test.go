package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/restclient"
)

// TestRollingRestart stops and starts each node and each gateway in order, while
// clients work that go to the other gateway only if the one refuses their
// connection: no request fails, and `can-stop` would have agreed to each step.
func TestRollingRestart(t *testing.T) {
	const workers = 8
	c := start(t, local.Config{Gateways: 2, Gateway: unhurried})
	work, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var done atomic.Int64
	failures := make(chan string, workers)
	for worker := range workers {
		gateways := []*restclient.Client{c.client(worker % 2), c.client((worker + 1) % 2)}
		wg.Go(func() {
			for i := 0; work.Err() == nil; i++ {
				if r := attempt(context.WithoutCancel(work), gateways, worker, i); r.Outcome != restclient.OK {
					failures <- fmt.Sprint(r)
					return
				}
				done.Add(1)
			}
		})
	}
	fail := func() {
		select {
		case f := <-failures:
			require.Fail(t, "a request failed", f)
		default:
		}
	}
	progress := func() { // every client has seen what is now
		t.Helper()
		from := done.Load()
		c.await("the clients get on", func() (bool, any) { fail(); return done.Load() > from+20*workers, done.Load() })
	}
	for i := range placement.Nodes {
		c.awaitCanStop(fmt.Sprint("db-", i))
		require.NoError(t, c.Stop(i))
		progress()
		c.restart(i)
	}
	c.awaitWhole()
	for i := range 2 {
		require.NoError(t, c.RestartGateway(i))
		progress()
	}
	cancel()
	wg.Wait()
	fail()
	c.awaitWhole()
	t.Log(done.Load(), "requests, none failed")
}

// attempt does the i-th thing that a worker does with its own few users.
func attempt(ctx context.Context, gateways []*restclient.Client, worker, i int) (r restclient.Result) {
	name := fmt.Sprint("name ", i)
	u := restclient.User{ID: fmt.Sprintf("w%d-%d", worker, i/4), Name: name, Email: "a@example.com"}
	for _, g := range gateways {
		switch i % 4 {
		case 0:
			r = g.Create(ctx, u)
		case 1:
			r = g.Update(ctx, u.ID, restclient.Patch{Name: &name})
		case 2:
			r = g.Get(ctx, u.ID)
		case 3:
			r = g.Delete(ctx, u.ID)
		}
		if !errors.Is(r.Err, syscall.ECONNREFUSED) {
			break
		}
	}
	return r
}

func (c *cluster) awaitCanStop(id string) {
	c.t.Helper()
	c.await(id+" can be stopped", func() (bool, any) {
		s := c.status(0)
		reasons, err := s.CanStop(id)
		require.NoError(c.t, err)
		return len(reasons) == 0, reasons
	})
}

// TestReadiness: who asks is told what is so and what isn't.
func TestReadiness(t *testing.T) {
	c := start(t, local.Config{Gateway: unhurried})
	verbose := func(url string) (int, string) {
		status, body := ask(t, http.MethodGet, url+wire.PathReady+"?verbose")
		return status, string(body)
	}
	status, text := verbose(c.Node(0))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "[+] running ok\n[+] admitted ok\n[+] partitions ok\nready\n", text)
	status, text = verbose(c.Gateway(0))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "[+] running ok\n[+] nodes ok: db-0; db-1; db-2\nready\n", text)

	require.NoError(t, c.Stop(1))
	status, text = verbose(c.Gateway(0))
	require.Equal(t, http.StatusOK, status)
	require.Regexp(t, `^\[\+\] running ok\n\[\+\] nodes ok: db-0; db-2; db-1 is down: .*connection refused\nready\n$`, text)

	require.NoError(t, c.Stop(0))
	require.NoError(t, c.Stop(2))
	status, text = verbose(c.Gateway(0))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Regexp(t, `\n\[-\] nodes: fewer than two nodes serve: db-0 is down: .*\nnot ready\n$`, text)

	require.NoError(t, c.Restart(0))
	c.await("db-0 says what it waits for", func() (bool, any) {
		status, text = verbose(c.Node(0))
		require.Equal(t, http.StatusServiceUnavailable, status)
		return text != "[+] running ok\n[-] admitted: waiting for another node to know of this start; nothing is answered before\n[+] partitions ok\nnot ready\n", text
	})
	require.Regexp(t, `\n\[-\] admitted: waiting for node \d before taking part .*connection refused\n`, text)
	status, _ = ask(t, http.MethodGet, c.Node(0)+wire.PathLive)
	require.Equal(t, http.StatusOK, status, "it lives all the same")
	_, text = verbose(c.Gateway(0))
	require.Contains(t, text, "db-0 waits for another node before it serves")
	c.restart(1)
}
