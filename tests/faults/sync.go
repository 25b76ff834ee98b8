package faults

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// FailSyncs makes the syncs of a process fail from now on: those that when says,
// in strace's words, of each thread. It returns once that is in force; an error
// says why it can't be. The tracer ends with the process.
func FailSyncs(tb testing.TB, pid int, when string) error {
	tb.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		return fmt.Errorf("strace is needed to make a sync fail; install it: %w", err)
	}
	const calls = "fsync,fdatasync,sync_file_range"
	tracer := exec.CommandContext(tb.Context(), path, "-f", "-p", strconv.Itoa(pid), "-o", "/dev/null",
		"-e", "trace="+calls, "-e", "inject="+calls+":error=EIO:when="+when)
	stderr, err := tracer.StderrPipe()
	if err != nil {
		return err
	}
	if err := tracer.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stderr)
	said := ""
	for !strings.Contains(said, "attached") && lines.Scan() {
		said += lines.Text()
	}
	if !strings.Contains(said, "attached") {
		_ = tracer.Wait() // it said why
		return fmt.Errorf("strace can't attach here: %s; run this as root, where ptrace is allowed", said)
	}
	var drained sync.WaitGroup
	drained.Go(func() {
		_, _ = io.Copy(io.Discard, stderr) // until it ends
		_ = tracer.Wait()                  // its status is that of the process
	})
	tb.Cleanup(drained.Wait)
	return nil
}
