package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/ctl/internal/freeport"
)

// session is a dyad dev that runs.
type session struct {
	t       *testing.T
	cmd     *exec.Cmd
	ports   []int // three nodes, gateway
	gateway string
	out     io.Closer
	lines   chan string // of its output; closed at its end
	printed strings.Builder
	stderr  bytes.Buffer
}

// dev starts dyad dev on free ports, in the directory dir.
func dev(t *testing.T, dir string, args ...string) *session {
	t.Helper()
	ports, err := freeport.Find(t.Context(), 4)
	require.NoError(t, err)
	s := &session{t: t, ports: ports, lines: make(chan string, 1000)}
	address := fmt.Sprintf("127.0.0.1:%d", ports[3])
	s.gateway = "http://" + address
	s.cmd = exec.CommandContext(t.Context(), built(t, "dyad"), append([]string{
		"dev", "--listen", address, "--node-ports", fmt.Sprintf("%d,%d,%d", ports[0], ports[1], ports[2]),
	}, args...)...)
	s.cmd.Dir = dir
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.out = out
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	return s
}

// await reads on to the line that matches pattern and returns its groups.
func (s *session) await(pattern string) []string {
	s.t.Helper()
	wanted := regexp.MustCompile(pattern)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-s.lines:
			require.True(s.t, ok, "dyad dev ended before %q:\n%s%s", pattern, &s.printed, &s.stderr)
			fmt.Fprintln(&s.printed, line)
			if groups := wanted.FindStringSubmatch(line); groups != nil {
				return groups
			}
		case <-timer.C:
			require.Fail(s.t, "never printed", "%q in:\n%s", pattern, &s.printed)
		}
	}
}

// table reads the table and returns the PIDs of the nodes and the gateway.
func (s *session) table() (pids []int) {
	s.t.Helper()
	s.await(`^NAME +ADDRESS +PID +LOG$`)
	for i, name := range []string{"db-0", "db-1", "db-2", "gateway"} {
		groups := s.await(fmt.Sprintf(`^%s +127\.0\.0\.1:%d +(\d+) +(\S+)/%s\.log$`, name, s.ports[i], name))
		pid, err := strconv.Atoi(groups[1])
		require.NoError(s.t, err)
		pids = append(pids, pid)
	}
	return pids
}

// ready reads on until the cluster is ready.
func (s *session) ready() (pids []int) {
	s.t.Helper()
	pids = s.table()
	s.await("^Ready: " + regexp.QuoteMeta(s.gateway) + "$")
	return pids
}

// end waits for the end and checks that nothing is left behind. It returns the
// exit code.
func (s *session) end() int {
	s.t.Helper()
	for line := range s.lines {
		fmt.Fprintln(&s.printed, line)
	}
	_ = s.cmd.Wait() // the exit code is what counts
	s.nothingLeft()
	return s.cmd.ProcessState.ExitCode()
}

// nothingLeft checks that no process knows a port of the session, and that all
// ports are free. Processes may take a moment to go.
func (s *session) nothingLeft() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	left := s.processes()
	for ; len(left) > 0; left = s.processes() {
		require.NoError(s.t, ctx.Err(), "still there: %v", left)
	}
	for _, port := range s.ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(s.t, err)
		require.NoError(s.t, l.Close())
	}
}

// processes returns the command lines that name the first node.
func (s *session) processes() (found []string) {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(s.t, err)
	require.NotEmpty(s.t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, fmt.Appendf(nil, "db-0=http://127.0.0.1:%d,", s.ports[0])) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func (s *session) signal(sig os.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// read reads a user and wants it to be there.
func read(t *testing.T, gateway, id string) {
	t.Helper()
	code, reply := call(t, http.MethodGet, gateway+"/api/users/"+id, "")
	require.Equal(t, http.StatusOK, code, reply)
	require.Contains(t, reply, `"Ada Lovelace"`)
}

// temporary gives the commands that follow a directory of their own for
// temporary files.
func temporary(t *testing.T) (dir string) {
	t.Helper()
	built(t, "dyad") // which belongs to all tests, elsewhere
	dir = t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func TestDevInMemory(t *testing.T) {
	temp := temporary(t)
	s := dev(t, t.TempDir(), "--memory")
	pids := s.ready()
	require.Len(t, s.processes(), 4)
	create(t, s.gateway, "before")
	read(t, s.gateway, "before")

	require.NoError(t, syscall.Kill(pids[1], syscall.SIGKILL))
	s.await(fmt.Sprintf(`^db-1 \(PID %d\) has died \(signal: killed\)$`, pids[1]))
	s.await(`the end of its log, ` + regexp.QuoteMeta(temp) + `.*/db-1\.log:$`)
	s.await(`^    .*msg="node serves"`)
	s.await(`^db-1 had its records in memory alone and stays down: .*; the others carry on$`)
	read(t, s.gateway, "before")
	for i := range 30 {
		create(t, s.gateway, fmt.Sprintf("away-%d", i))
		read(t, s.gateway, fmt.Sprintf("away-%d", i))
	}

	require.NoError(t, syscall.Kill(pids[3], syscall.SIGKILL))
	require.NotEqual(t, strconv.Itoa(pids[3]), s.await(`^gateway is back: PID (\d+)$`)[1], "the gateway has nothing to forget")
	read(t, s.gateway, "away-0")
	require.NotContains(t, s.printed.String(), "db-1 is back")

	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
	require.Contains(t, s.printed.String(), "\nStopping the gateway, then the nodes.\nStopped, and what was in memory is gone.\n")
	require.Empty(t, s.stderr.String(), "no progress where there is no terminal")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the logs went too")
}

func TestDevKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, dir)
	pids := s.ready()
	for i := range 30 {
		create(t, s.gateway, fmt.Sprintf("first-%d", i))
	}
	require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	s.await(`^db-0 is started again`)
	for i := range 30 {
		create(t, s.gateway, fmt.Sprintf("away-%d", i))
		read(t, s.gateway, fmt.Sprintf("first-%d", i))
	}
	s.await(`^db-0 is back`)
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.end(), &s.stderr)
	require.Contains(t, s.printed.String(), "Stopped. The records stay in directory data.\n")

	s = dev(t, dir, "--data", filepath.Join(dir, "data"))
	s.ready()
	for i := range 30 {
		read(t, s.gateway, fmt.Sprintf("first-%d", i))
		read(t, s.gateway, fmt.Sprintf("away-%d", i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := dyad(t, "status", "--gateway", s.gateway)
	for ; r.code != 0; r = dyad(t, "status", "--gateway", s.gateway) {
		require.NoError(t, ctx.Err(), "never whole: %s", r.stdout)
	}
	require.Regexp(t, `(?m)^db-0  up .* 3$`, r.stdout, "its third start")
	require.Regexp(t, `(?m)^db-1  up .* 2$`, r.stdout)

	other := dev(t, dir)
	require.Equal(t, 1, other.end())
	require.Regexp(t, `dyad: db-\d \(PID \d+\) has died \(exit status 1\)`, other.stderr.String())
	require.Contains(t, other.stderr.String(), "the data directory is in use by another process: data/db-")
	read(t, s.gateway, "first-0")

	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
}

// TestDevPrintsCommandsThatWork does with the printed text what a reader would.
func TestDevPrintsCommandsThatWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := dev(t, t.TempDir())
	s.ready()
	shell := func(command string) string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
		return string(out)
	}
	curl := s.await(`^  (curl .*)\\$`)[1] + s.await(`^    (-d .*)$`)[1]
	for range 2 {
		require.Contains(t, shell(curl), "HTTP/1.1 201 Created")
	}
	status := s.await(`^  (.* status.*)$`)[1]
	require.Regexp(t, `^whole$|hints for`, lastLine(shell(status+" || test $? = 1")), "a late reply may have left a hint")
	shell(s.await(`^  (kill -9 .*)$`)[1])
	s.await(`^db-1 \(PID \d+\) has died`)
	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
}

func TestDevStoppedWhileStarting(t *testing.T) {
	s := dev(t, t.TempDir())
	s.table()
	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
	require.Contains(t, s.printed.String(), "Stopped.")
}

// TestDevWhoseReaderHasGone is `dyad dev | tee log`, where Ctrl-C ends tee too.
func TestDevWhoseReaderHasGone(t *testing.T) {
	temp := temporary(t)
	s := dev(t, t.TempDir(), "--memory")
	s.ready()
	s.await("^Ctrl-C stops all")
	require.NoError(t, s.out.Close())
	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "it came to the end of its work")
}

// TestDevTakesItsChildrenAlong kills dyad in a way that it can't notice.
func TestDevTakesItsChildrenAlong(t *testing.T) {
	temporary(t)
	s := dev(t, t.TempDir(), "--memory")
	s.ready()
	s.signal(os.Kill)
	require.Equal(t, -1, s.end())
}

func TestDevWithAPortInUse(t *testing.T) {
	temp := temporary(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ports, err := freeport.Find(t.Context(), 3)
	require.NoError(t, err)
	r := dyad(t, "dev", "--memory", "--listen", l.Addr().String(),
		"--node-ports", fmt.Sprintf("%d,%d,%d", ports[0], ports[1], ports[2]))
	require.Equal(t, result{code: 1, stderr: "dyad: " + l.Addr().String() + ", the address for gateway: address already in use: " +
		"is another dyad dev running? Stop what listens there, or choose with --listen and --node-ports\n"}, r)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDevWithoutItsPrograms(t *testing.T) {
	alone := filepath.Join(t.TempDir(), "dyad")
	require.NoError(t, os.Link(built(t, "dyad"), alone))
	out, err := exec.CommandContext(t.Context(), alone, "dev", "--memory").CombinedOutput()
	require.EqualError(t, err, "exit status 1")
	require.Equal(t, "dyad: "+filepath.Join(filepath.Dir(alone), "dbnode")+" is missing: build it with `make build`\n", string(out))
}

func TestGatewayURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		":8080":          "http://127.0.0.1:8080",
		"0.0.0.0:81":     "http://127.0.0.1:81",
		"[::]:81":        "http://127.0.0.1:81",
		"[::1]:81":       "http://[::1]:81",
		"box:81":         "http://box:81",
	} {
		require.Equal(t, want, gatewayURL(address))
	}
}
