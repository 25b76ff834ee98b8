package devcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// What is shown of a log when its process has died.
const (
	tailLines = 10
	tailBytes = 8 << 10
)

// killWait bounds the wait for a process to be gone after SIGKILL.
const killWait = 5 * time.Second

// child is a process that was started.
type child struct {
	spec
	process *os.Process
	logFrom int64         // size of the log file when it started
	ended   chan struct{} // closed when the process is gone and state is set
	state   *os.ProcessState
}

// startChild starts a process in a process group of its own, so that the
// terminal's Ctrl-C does not reach it, and such that it dies with this one.
func startChild(s spec) (*child, error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", s.name, err)
	}
	defer log.Close() // the child has its own by then
	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", s.name, err)
	}
	cmd := &exec.Cmd{
		Path:        s.program,
		Args:        append([]string{s.program}, s.args...),
		Stdout:      log,
		Stderr:      log,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	c := &child{spec: s, logFrom: info.Size(), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Pdeathsig strikes when the thread that started the child ends, so the
		// thread stays with the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // the state says it all
		c.state = cmd.ProcessState
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	c.process = cmd.Process
	return c, nil
}

func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// signal sends s, unless the process is gone.
func (c *child) signal(s os.Signal) error {
	if err := c.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to %s: %w", s, c.name, err)
	}
	return nil
}

// terminate asks the process to end, even if it is suspended.
func (c *child) terminate() error {
	return errors.Join(c.signal(syscall.SIGTERM), c.signal(syscall.SIGCONT))
}

// kill ends the process at once and waits until it is gone.
func (c *child) kill() error {
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	timer := time.NewTimer(killWait)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s (PID %d) is still there %s after SIGKILL: see what it waits for with ps", c.name, c.process.Pid, killWait)
	}
}

// endedInOrder reports whether a process that was asked to end, and did, had
// nothing to complain about.
func (c *child) endedInOrder() bool {
	status, ok := c.state.Sys().(syscall.WaitStatus)
	early := ok && status.Signaled() && status.Signal() == syscall.SIGTERM // it didn't listen to signals yet
	return c.state.Success() || early
}

// obituary says how the process ended, and the last lines of its log. It may be
// called when the process is gone.
func (c *child) obituary() string {
	text := fmt.Sprintf("%s (PID %d) has died (%s)\n", c.name, c.process.Pid, c.state)
	tail, err := c.tail()
	switch {
	case err != nil:
		return text + fmt.Sprintf("  its log can't be read: %v", err)
	case len(tail) == 0:
		return text + fmt.Sprintf("  it wrote nothing to its log, %s", c.log)
	}
	return text + fmt.Sprintf("  the end of its log, %s:\n    %s", c.log, strings.Join(tail, "\n    "))
}

// tail returns the last lines that the process wrote to its log.
func (c *child) tail() ([]string, error) {
	f, err := os.Open(c.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(c.logFrom, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return nil, err
	}
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	return lines[max(0, len(lines)-tailLines):], nil
}

// pause waits for d and reports whether ctx is still going on then.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
