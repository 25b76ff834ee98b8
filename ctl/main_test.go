package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// programs builds all three once, when the first test wants them.
var programs = sync.OnceValues(build)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// build builds as `make build` does, so that both share what they compile.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "dyad-programs-"); err != nil {
		return "", err
	}
	for _, target := range [][]string{
		{dir + "/", "../gateway/cmd/gateway", "../dbnode/cmd/dbnode"},
		{filepath.Join(dir, "dyad"), "."},
	} {
		args := append([]string{"build", "-tags", "nomsgpack", "-trimpath", "-ldflags", "-s -w", "-o"}, target...)
		if out, err := exec.CommandContext(context.Background(), "go", args...).CombinedOutput(); err != nil {
			return "", errors.Join(fmt.Errorf("go %v: %w\n%s", args, err, out), os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// built returns the path of a program.
func built(t *testing.T, name string) string {
	t.Helper()
	dir, err := programs()
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// result is what a finished command left.
type result struct {
	stdout, stderr string
	code           int
}

// dyad runs a command to its end.
func dyad(t *testing.T, args ...string) result {
	t.Helper()
	program := built(t, "dyad")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestAWrongCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"stauts"}, "unknown command \"stauts\""},
		{[]string{"status", "--gatway", "x"}, "unknown flag: --gatway"},
		{[]string{"status", "db-1"}, "unknown command \"db-1\" for \"dyad status\""},
		{[]string{"dev", "--memory", "--data", "d"}, "--memory and --data exclude each other"},
		{[]string{"dev", "--listen", "8080"}, "want host:port"},
		{[]string{"dev", "--listen", "127.0.0.1:0"}, "want a port from 1 to 65535"},
		{[]string{"dev", "--listen", "127.0.0.1:http"}, "want a port from 1 to 65535"},
		{[]string{"dev", "--node-ports", "65534"}, "65536 is no port"},
		{[]string{"dev", "--node-ports", "1,2"}, "2 given, want 3"},
		{[]string{"dev", "--node-ports", "1,2,1"}, "1 is there twice"},
	} {
		r := dyad(t, c.args...)
		require.Equal(t, 2, r.code, c.args)
		require.Empty(t, r.stdout, c.args)
		require.Contains(t, r.stderr, "dyad: ", c.args)
		require.Contains(t, r.stderr, c.says)
		require.Contains(t, r.stderr, "--help.\n")
	}
}

func TestHelp(t *testing.T) {
	r := dyad(t)
	require.Zero(t, r.code)
	for _, command := range []string{"dev", "status", "version", "completion"} {
		require.Contains(t, r.stdout, "\n  "+command+" ")
	}
	for _, command := range []string{"dev", "status"} {
		r := dyad(t, command, "--help")
		require.Zero(t, r.code)
		require.Contains(t, r.stdout, "Examples:\n  dyad "+command)
	}
}

func TestVersion(t *testing.T) {
	r := dyad(t, "version")
	require.Zero(t, r.code)
	require.Regexp(t, `^dyad \S+,.* go1\.\S+, \w+/\w+\n$`, r.stdout)
}

func TestCompletion(t *testing.T) {
	r := dyad(t, "completion", "bash")
	require.Zero(t, r.code)
	require.Contains(t, r.stdout, "complete -o default -F __start_dyad dyad")
}
