// Package proc runs the programs under test as real processes: build, start,
// kill, freeze, stop, and look at the logs of those that were part of a failure.
//
// Invariants:
//   - No child outlives its test: it is killed when the test ends, and by the
//     kernel when the test's process dies in any other way.
//   - A child that ends without being told to fails its test.
//   - Every wait is bounded.
//
// A Process belongs to the test's goroutine: it is not safe for concurrent use.
package proc

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	buildLimit = 10 * time.Minute // a cold build of everything, cgo included
	patience   = 30 * time.Second // for a child to start, stop or freeze
	pollEvery  = 10 * time.Millisecond
	logTail    = 8 << 10 // bytes of a log that a failed test shows
)

// Build compiles programs into a directory of the test's, and returns that
// directory. The arguments are those of go build: flags, then packages.
func Build(tb testing.TB, args ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	ctx, cancel := context.WithTimeout(tb.Context(), buildLimit)
	defer cancel()
	args = append([]string{"build", "-o", dir + string(filepath.Separator)}, args...)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		tb.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return dir
}

// FreeAddresses returns n different addresses of this machine, host:port, that
// nothing listens on at the moment.
func FreeAddresses(tb testing.TB, n int) []string {
	tb.Helper()
	addresses := make([]string, n)
	for i := range addresses {
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatalf("find a free port: %v", err)
		}
		defer l.Close() // all at once, so that they differ
		addresses[i] = l.Addr().String()
	}
	return addresses
}

// Process is one child.
type Process struct {
	tb      testing.TB
	name    string
	logPath string
	path    string
	args    []string

	cmd    *exec.Cmd     // of the current run
	exited chan struct{} // closed when the current run is over
	err    error         // of the current run, once exited
	told   bool          // the current run was told to end
}

// Start runs the program at path. The name is for messages and for the log file
// in logDir, which gets all that the child prints.
func Start(tb testing.TB, logDir, name, path string, args ...string) *Process {
	tb.Helper()
	p := &Process{tb: tb, name: name, logPath: filepath.Join(logDir, name+".log"), path: path, args: args}
	p.Start()
	tb.Cleanup(p.end)
	return p
}

// Start runs a child again that has ended, with the same arguments and log.
func (p *Process) Start() {
	p.tb.Helper()
	if p.Running() {
		p.tb.Fatalf("%s runs already", p.name)
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.tb.Fatalf("%s: open its log: %v", p.name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.CommandContext(context.WithoutCancel(p.tb.Context()), p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	exited, started := make(chan struct{}), make(chan error)
	p.cmd, p.exited, p.err, p.told = cmd, exited, nil, false
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, not
		// the process: hold this thread for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		p.told = true
		p.tb.Fatalf("start %s: %v", p.name, err)
	}
}

// Running reports whether the child has not ended.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the child as a crash would, with SIGKILL, and returns once it is
// gone.
func (p *Process) Kill() {
	p.tb.Helper()
	p.tell(syscall.SIGKILL)
	p.gone("SIGKILL")
}

// Stop asks the child to end, with SIGTERM, and fails the test unless it does
// within 30 s with exit code 0.
func (p *Process) Stop() {
	p.tb.Helper()
	p.tell(syscall.SIGTERM)
	p.gone("SIGTERM")
	if p.err != nil {
		p.tb.Errorf("%s, asked to stop: %v", p.name, p.err)
	}
}

// WaitEnd waits until the child has ended by itself, for 30 s at most, and
// returns what it ended with: nil for exit code 0.
func (p *Process) WaitEnd() error {
	p.tb.Helper()
	p.told = true
	p.gone("it was to end by itself")
	return p.err
}

// Freeze halts the child with SIGSTOP, and returns once it stands still.
func (p *Process) Freeze() {
	p.tb.Helper()
	p.signal(syscall.SIGSTOP)
	p.poll("freeze", func() bool { return p.state() == 'T' })
}

// Thaw lets a frozen child go on, with SIGCONT.
func (p *Process) Thaw() {
	p.tb.Helper()
	p.signal(syscall.SIGCONT)
}

// WaitOK waits until url answers 200; the test fails if the child ends before,
// or after 30 s.
func (p *Process) WaitOK(url string) {
	p.tb.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	p.poll("answer 200 at "+url, func() bool {
		if !p.Running() {
			p.tb.Fatalf("%s ended (%v) instead of answering at %s", p.name, p.err, url)
		}
		request, err := http.NewRequestWithContext(p.tb.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			p.tb.Fatalf("%s: %v", p.name, err)
		}
		reply, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = reply.Body.Close() // its status is all that counts
		return reply.StatusCode == http.StatusOK
	})
}

// Log returns the end of what the child printed, 8 KiB at most.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// tell sends a signal that is meant to end the child.
func (p *Process) tell(s syscall.Signal) {
	p.tb.Helper()
	p.signal(s)
	p.told = true
}

func (p *Process) signal(s syscall.Signal) {
	p.tb.Helper()
	if !p.Running() {
		p.tb.Fatalf("%s ended by itself (%v), before %v", p.name, p.err, s)
	}
	// It may end between the two lines; its end is judged by gone and end.
	_ = p.cmd.Process.Signal(s)
}

// gone waits for the child's end.
func (p *Process) gone(after string) {
	p.tb.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.tb.Fatalf("%s still runs %v after %s", p.name, patience, after)
	}
}

// poll waits until done says so.
func (p *Process) poll(what string, done func() bool) {
	p.tb.Helper()
	ticker, limit := time.NewTicker(pollEvery), time.After(patience)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-limit:
			p.tb.Fatalf("%s did not %s within %v", p.name, what, patience)
		}
	}
}

// state is the kernel's letter for what the child does: R, S, T (frozen), Z...
func (p *Process) state() byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0
	}
	// pid (name) state ...: the name may hold anything, parentheses too.
	if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}

// end is the test's last word to the child.
func (p *Process) end() {
	if p.Running() {
		p.told = true
		_ = p.cmd.Process.Kill() // it may have ended just now
		p.gone("SIGKILL")
	}
	if !p.told {
		p.tb.Errorf("%s ended by itself: %v", p.name, p.err)
	}
	if p.tb.Failed() {
		p.tb.Logf("the end of %s's log:\n%s", p.name, p.Log())
	}
}
