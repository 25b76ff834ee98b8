package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orphanDir is an environment variable that, when set, asks TestOrphanHelper to start a child, note its id in this directory and panic.
const orphanDir = "DYAD_TEST_ORPHAN_DIR"

// judge stands in for a test whose failure is expected.
type judge struct {
	testing.TB
	cleanups []func()
	said     []string
}

func (j *judge) Helper()          {}
func (j *judge) Cleanup(f func()) { j.cleanups = append(j.cleanups, f) }
func (j *judge) Failed() bool     { return len(j.said) > 0 }
func (j *judge) Errorf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

func (j *judge) Logf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

func (j *judge) end() string {
	for _, f := range j.cleanups {
		f()
	}
	return strings.Join(j.said, "\n")
}

func child(t *testing.T) string {
	t.Helper()
	return filepath.Join(Build(t, "./testdata/child"), "child")
}

func TestLifeOfAProcess(t *testing.T) {
	path, address := child(t), FreeAddresses(t, 1)[0]
	p := Start(t, t.TempDir(), "life", path, "-listen", address)
	p.WaitOK("http://" + address)
	first := p.PID()
	require.True(t, p.Running())

	p.Freeze()
	assert.Equal(t, byte('T'), p.state())
	p.Thaw()
	p.WaitOK("http://" + address)

	p.Kill()
	require.False(t, p.Running())
	assert.ErrorContains(t, p.err, "killed")

	p.Start()
	p.WaitOK("http://" + address)
	assert.NotEqual(t, first, p.PID())
	p.Stop()
	require.False(t, p.Running())
	assert.NoError(t, p.err)
	assert.Equal(t, "started\nstarted\nasked to stop\n", p.Log(), "one log for all runs")
}

func TestKillOfAFrozenProcess(t *testing.T) {
	p := Start(t, t.TempDir(), "frozen", child(t))
	p.Freeze()
	p.Kill()
	assert.False(t, p.Running())
}

func TestAChildThatEndsByItselfFailsTheTest(t *testing.T) {
	j := &judge{TB: t}
	p := Start(j, t.TempDir(), "crash", child(t), "-exit", "3")
	<-p.exited
	said := j.end()
	assert.Contains(t, said, "crash ended by itself: exit status 3")
	assert.Contains(t, said, "the end of crash's log:\nending at once")
}

func TestAStopThatFailsFailsTheTest(t *testing.T) {
	j := &judge{TB: t}
	p := Start(j, t.TempDir(), "sleep", "sleep", "60") // ends by the signal itself, not with code 0
	p.Stop()
	assert.Contains(t, j.end(), "sleep, asked to stop: signal: terminated")
}

func TestTheEndOfATestKillsItsChildren(t *testing.T) {
	j := &judge{TB: t}
	p := Start(j, t.TempDir(), "left", child(t))
	p.Freeze()
	assert.Empty(t, j.end(), "that is no failure")
	assert.False(t, p.Running())
}

func TestFreeAddressesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range FreeAddresses(t, 500) {
		seen[a] = true
	}
	assert.Len(t, seen, 500)
}

func TestLogShowsTheEnd(t *testing.T) {
	p := &Process{logPath: filepath.Join(t.TempDir(), "log")}
	require.NoError(t, os.WriteFile(p.logPath, []byte(strings.Repeat("x", 2*logTail)+"end"), 0o600))
	assert.Len(t, p.Log(), logTail)
	assert.True(t, strings.HasSuffix(p.Log(), "end"))
}

// A test process that panics takes its children with it, although no cleanup
// runs.
func TestAPanicKillsTheChildren(t *testing.T) {
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOrphanHelper$")
	command.Env = append(os.Environ(), orphanDir+"="+dir)
	out, err := command.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "panic: planned")
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)

	orphan := &Process{tb: t, name: "orphan", cmd: &exec.Cmd{Process: &os.Process{Pid: pid}}}
	t.Cleanup(func() {
		if t.Failed() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	orphan.poll("die", func() bool { return orphan.state() == 0 || orphan.state() == 'Z' })
}

func TestOrphanHelper(t *testing.T) {
	dir := os.Getenv(orphanDir)
	if dir == "" {
		t.Skip("a part of TestAPanicKillsTheChildren")
	}
	p := Start(t, dir, "orphan", child(t))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pid"), []byte(strconv.Itoa(p.PID())), 0o600))
	go panic("planned") // on a goroutine of its own: no cleanup of the test runs
	<-time.After(patience)
}

// TestWaitEnd: a child that is to end by itself doesn't fail its test.
func TestWaitEnd(t *testing.T) {
	j := &judge{TB: t}
	p := Start(j, t.TempDir(), "ending", child(t), "-exit", "3")
	var exit *exec.ExitError
	require.ErrorAs(t, p.WaitEnd(), &exit)
	require.Equal(t, 3, exit.ExitCode())
	require.Empty(t, j.end())
}
