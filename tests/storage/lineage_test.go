package storage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lifeLimit bounds the life of a writer.
const lifeLimit = time.Minute

// lineage is a store through the lives of many writers, beside the map that it
// must equal.
type lineage struct {
	dir      string // holds the store, or is where the disk is mounted
	power    *power // of a disk of its own, or nil
	steps    steps
	sure     int // the last step that must be there
	at       int // content is the state after this step
	content  map[string]string
	findings []string
}

func newLineage(dir string, seed uint64) *lineage {
	return &lineage{dir: dir, steps: steps{seed}, content: map[string]string{}}
}

func (l *lineage) finding(format string, args ...any) {
	l.findings = append(l.findings, fmt.Sprintf(format, args...))
}

// life is how one writer fared.
type life struct {
	opened   int    // how often it opened the store
	acked    int    // how many steps were acknowledged
	refused  string // why the store could not be opened
	failed   bool   // a step failed
	closed   bool   // it ended well
	signal   syscall.Signal
	exitCode int
	stderr   string

	last int // the step that is due to be acknowledged before the next
	has  map[string]string
}

// writerCommand is what runs a writer, as the last word of a command.
func (l *lineage) writerCommand(ctx context.Context, before ...string) *exec.Cmd {
	words := append(before, os.Args[0])
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	// The race detector would wait for a second at each end.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", dirEnv+"="+filepath.Join(l.dir, "data", "store"), fmt.Sprint(seedEnv, "=", l.steps.seed))
	// A tracer that is killed would leave its tracee behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// live runs a writer to its end and judges all that it says. kill, if it is not
// nil, is told of each acknowledgement and says whether the writer is to be killed.
func (l *lineage) live(t *testing.T, kill func(acked int) bool, before ...string) life {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lifeLimit)
	defer cancel()
	if l.power != nil {
		defer l.power.on(t, l.dir, cancel)()
	}
	cmd := l.writerCommand(ctx, before...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var f life
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break // what a kill cut short doesn't count
		}
		l.hear(&f, strings.TrimSuffix(line, "\n"))
		if kill != nil && kill(f.acked) {
			cancel()
			kill = nil
		}
	}
	err = cmd.Wait()
	require.NotErrorIs(t, ctx.Err(), context.DeadlineExceeded, "the writer hangs: %s", stderr.String())
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		f.signal, f.exitCode = status.Signal(), cmd.ProcessState.ExitCode()
	}
	f.stderr = stderr.String()
	if f.exitCode == exitMisplaced || f.exitCode == 0 && !f.closed {
		l.finding("the writer ended with %v, exit code %d: %s", err, f.exitCode, f.stderr)
	}
	return f
}

// hear takes in a line of a writer.
func (l *lineage) hear(f *life, line string) {
	verb, rest, _ := strings.Cut(line, " ")
	first, second, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(first) // 0 where it is no number
	switch verb {
	case saysHas:
		if f.has == nil {
			f.has = map[string]string{}
		}
		f.has[first] = second
	case saysOpened:
		l.judge(n, f.has)
		f.last, f.has = n, nil
		f.opened++
	case saysAcked:
		if n != f.last+1 {
			l.finding("step %d was acknowledged after step %d", n, f.last)
		}
		if f.failed {
			l.finding("step %d was acknowledged after one had failed", n)
		}
		f.acked++
		f.last, l.sure = n, n
	case saysFailed:
		f.failed = true
	case saysRefused:
		f.refused = rest
	case saysClosed:
		f.closed = true
	default:
		l.finding("the writer said %q", line)
	}
}

// judge compares what a writer found with the state after the step that it found.
// What was read once stays: it is durable as if it had been acknowledged.
func (l *lineage) judge(found int, has map[string]string) {
	if found < l.sure {
		l.finding("step %d was acknowledged, and step %d is the last that is there", l.sure, found)
		return
	}
	if found > l.sure+2*stepsPerLife {
		l.finding("step %d is there, and nobody made it", found)
		return
	}
	for l.at < found {
		l.at++
		l.steps.apply(l.at, l.content)
	}
	l.sure = found
	for key, want := range l.content {
		if has[key] != want {
			l.finding("after step %d %s is %q, not %q", found, key, has[key], want)
		}
	}
	for key := range has {
		if _, ok := l.content[key]; !ok {
			l.finding("after step %d %s is there, and must not be", found, key)
		}
	}
}

// undisturbed runs writers to whom nothing happens: the first must find all, and go
// on, and the second what the first has acknowledged.
func (l *lineage) undisturbed(t *testing.T) {
	t.Helper()
	for range 2 {
		f := l.live(t, nil)
		if !f.closed || f.acked == 0 {
			l.finding("undisturbed, it did not go on: refused %q, failed %v, %d acknowledged, exit code %d, %s", f.refused, f.failed, f.acked, f.exitCode, f.stderr)
		}
	}
}
