package devcluster_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/ctl/devcluster"
	"github.com/dyad-db/dyad/ctl/internal/freeport"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// config returns the configuration of a cluster of fake programs, and what it
// reports.
func config(t *testing.T) (devcluster.Config, <-chan string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cfg := devcluster.DefaultConfig()
	cfg.Programs = t.TempDir()
	for _, name := range []string{"dbnode", "gateway"} {
		require.NoError(t, os.Symlink(self, filepath.Join(cfg.Programs, name)))
	}
	cfg.Logs = filepath.Join(t.TempDir(), "logs")
	ports, err := freeport.Find(t.Context(), 4)
	require.NoError(t, err)
	copy(cfg.NodePorts[:], ports)
	cfg.Gateway = (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ports[3]}).String()
	reports := make(chan string, 100)
	cfg.Report = func(message string) { reports <- message }
	cfg.RestartDelay = time.Millisecond
	return cfg, reports
}

// start starts a cluster and checks at the end of the test that nothing of it is
// left.
func start(t *testing.T, cfg devcluster.Config) *devcluster.Cluster {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	c, err := devcluster.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Stop() // tests that stop it look at the error
		for _, p := range c.Processes() {
			require.ErrorIs(t, syscall.Kill(p.PID, 0), syscall.ESRCH, p.Name)
		}
	})
	return c
}

func startReady(t *testing.T, cfg devcluster.Config) *devcluster.Cluster {
	t.Helper()
	c := start(t, cfg)
	require.NoError(t, c.WaitReady(t.Context(), func([]string) {}))
	return c
}

// supervise supervises c until the function returned is called.
func supervise(t *testing.T, c *devcluster.Cluster) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Supervise(ctx)
	}()
	end = func() {
		cancel()
		<-ended
	}
	t.Cleanup(end)
	return end
}

func next(t *testing.T, reports <-chan string) string {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case message := <-reports:
		return message
	case <-timer.C:
		t.Fatal("nothing was reported")
		return ""
	}
}

func kill(t *testing.T, p devcluster.Process, s syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(p.PID, s))
}

func TestStopsTheGatewayFirst(t *testing.T) {
	behave(t, "gateway", watches)
	cfg, reports := config(t)
	c := startReady(t, cfg)
	var names []string
	for _, p := range c.Processes() {
		names = append(names, p.Name)
		group, err := syscall.Getpgid(p.PID)
		require.NoError(t, err)
		require.Equal(t, p.PID, group, "in a group of its own, out of Ctrl-C's reach")
		require.FileExists(t, p.Log)
	}
	require.Equal(t, []string{"db-0", "db-1", "db-2", "gateway"}, names)
	require.NoError(t, c.Stop(), "all nodes were ready when the gateway had ended")
	require.Empty(t, reports)
}

func TestAProcessThatDiesWhileStarting(t *testing.T) {
	behave(t, "db-1", refuses)
	cfg, _ := config(t)
	require.NoError(t, os.MkdirAll(cfg.Logs, 0o750))
	log := filepath.Join(cfg.Logs, "db-1.log")
	require.NoError(t, os.WriteFile(log, []byte("of a former run\n"), 0o600))
	c := start(t, cfg)
	err := c.WaitReady(t.Context(), func([]string) {})
	require.ErrorContains(t, err, "db-1 (PID")
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, log+":\n    db-1 refuses to run")
	require.NotContains(t, err.Error(), "former")
	require.NoError(t, c.Stop())
}

func TestAProcessThatIsNeverReady(t *testing.T) {
	behave(t, "db-2", mute)
	cfg, _ := config(t)
	cfg.ReadyTimeout = 500 * time.Millisecond
	c := start(t, cfg)
	var last []string
	err := c.WaitReady(t.Context(), func(names []string) { last = names })
	require.ErrorContains(t, err, "not ready after 500ms: ")
	require.ErrorContains(t, err, "db-2")
	require.Contains(t, last, "db-2")
}

func TestWaitReadyEndsWithItsContext(t *testing.T) {
	behave(t, "db-2", mute)
	cfg, _ := config(t)
	c := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, c.WaitReady(ctx, func([]string) { cancel() }), context.Canceled)
	require.NoError(t, c.Stop())
}

func TestADeadProcessIsStartedAgain(t *testing.T) {
	cfg, reports := config(t)
	cfg.Data = t.TempDir()
	c := startReady(t, cfg)
	before := c.Processes()
	end := supervise(t, c)
	for _, victim := range []int{1, 3} {
		name := before[victim].Name
		kill(t, before[victim], syscall.SIGKILL)
		died := next(t, reports)
		require.Contains(t, died, name+" (PID")
		require.Contains(t, died, "(signal: killed)")
		require.Contains(t, died, name+" is started again in 1ms")
		require.Contains(t, next(t, reports), name+" is back: PID ")
	}
	end()
	after := c.Processes()
	for i := range after {
		if i == 1 || i == 3 {
			require.NotEqual(t, before[i].PID, after[i].PID)
		} else {
			require.Equal(t, before[i].PID, after[i].PID)
		}
	}
	require.NoError(t, c.WaitReady(t.Context(), func([]string) {}))
	require.NoError(t, c.Stop())
}

func TestANodeInMemoryStaysDown(t *testing.T) {
	cfg, reports := config(t)
	c := startReady(t, cfg)
	before := c.Processes()
	end := supervise(t, c)
	kill(t, before[1], syscall.SIGKILL)
	require.Contains(t, next(t, reports), "db-1 had its records in memory alone and stays down")
	kill(t, before[3], syscall.SIGKILL)
	require.Contains(t, next(t, reports), "gateway is started again")
	require.Contains(t, next(t, reports), "gateway is back: PID ", "it has nothing to forget")
	end()
	require.Equal(t, before[1].PID, c.Processes()[1].PID)
	require.NoError(t, c.Stop())
}

func TestGivesUpOnAProcessThatIsNeverReadyAgain(t *testing.T) {
	cfg, reports := config(t)
	cfg.Data = t.TempDir()
	c := startReady(t, cfg)
	processes := c.Processes()
	end := supervise(t, c)
	behave(t, "db-0", refuses)
	kill(t, processes[0], syscall.SIGKILL)
	for range 5 {
		require.Contains(t, next(t, reports), "is started again")
	}
	require.Contains(t, next(t, reports), "db-0 was started 5 times and never got ready: it stays down")
	kill(t, processes[1], syscall.SIGKILL)
	require.Contains(t, next(t, reports), "db-1 (PID", "the others are still looked after")
	require.Contains(t, next(t, reports), "db-1 is back")
	end()
	require.NoError(t, c.Stop())
}

func TestCtrlCWhileAProcessWaitsForItsRestart(t *testing.T) {
	cfg, reports := config(t)
	cfg.Data = t.TempDir()
	cfg.RestartDelay = time.Hour
	c := startReady(t, cfg)
	processes := c.Processes()
	end := supervise(t, c)
	kill(t, processes[2], syscall.SIGKILL)
	next(t, reports)
	end()
	require.NoError(t, c.Stop())
}

func TestADeafProcessIsKilled(t *testing.T) {
	behave(t, "db-0", deaf)
	behave(t, "db-2", deaf)
	cfg, reports := config(t)
	cfg.StopTimeout = 500 * time.Millisecond
	c := startReady(t, cfg)
	require.NoError(t, c.Stop())
	var killed string // on a busy machine perhaps others as well
	for len(reports) > 0 {
		killed += next(t, reports) + "\n"
	}
	require.Regexp(t, `db-0 \(PID \d+\) did not end within 500ms of SIGTERM: it gets SIGKILL`, killed)
	require.Contains(t, killed, "db-2 (PID")
}

func TestASuspendedProcessEndsInOrder(t *testing.T) {
	cfg, reports := config(t)
	c := startReady(t, cfg)
	kill(t, c.Processes()[1], syscall.SIGSTOP)
	require.NoError(t, c.Stop())
	require.Empty(t, reports)
}

func TestAnUncleanEndIsAnError(t *testing.T) {
	behave(t, "db-1", unsealed)
	cfg, _ := config(t)
	c := startReady(t, cfg)
	err := c.Stop()
	require.ErrorContains(t, err, "db-1 (PID")
	require.ErrorContains(t, err, "exit status 4")
	require.ErrorContains(t, err, "could not seal the store")
	require.Equal(t, 1, strings.Count(err.Error(), "has died"))
}

func TestAnAddressInUse(t *testing.T) {
	cfg, _ := config(t)
	cfg.NodePorts[2] = cfg.NodePorts[1]
	_, err := devcluster.Start(t.Context(), cfg)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "the address for db-2")

	cfg, _ = config(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", cfg.Gateway)
	require.NoError(t, err)
	defer l.Close()
	_, err = devcluster.Start(t.Context(), cfg)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, cfg.Gateway+", the address for gateway")
	require.NoDirExists(t, cfg.Logs, "refused before anything was made or started")
}

func TestAProgramThatIsMissing(t *testing.T) {
	cfg, _ := config(t)
	gateway := filepath.Join(cfg.Programs, "gateway")
	require.NoError(t, os.Remove(gateway))
	_, err := devcluster.Start(t.Context(), cfg)
	require.EqualError(t, err, gateway+" is missing: build it with `make build`")
	require.NoError(t, os.Mkdir(gateway, 0o750))
	_, err = devcluster.Start(t.Context(), cfg)
	require.EqualError(t, err, gateway+" is no program: build it anew with `make build`")
}
