package rocks

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

// The test binary runs itself as another process: roleEnv says what to do there,
// dirEnv on which directory. What it finds it prints.
const (
	roleEnv = "DYAD_TEST_ROCKS_ROLE"
	dirEnv  = "DYAD_TEST_ROCKS_DIR"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(dirEnv)
	switch os.Getenv(roleEnv) {
	case "":
		m.Run()
	case "open":
		childOpen(dir)
	case "fill":
		childFill(dir)
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func childOpen(dir string) {
	s, err := Open(dir)
	fmt.Fprintln(os.Stdout, errors.Is(err, store.ErrLocked), err)
	if err == nil {
		_ = s.Close()
	}
}

func TestOpenRefusesWhatAnotherProcessHasOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	write(t, s, put("a", "1"))
	out, err := child(t, "open", dir).Output()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(out), "true "), "%s", out)
	require.Contains(t, string(out), dir)
	require.NoError(t, s.Close())

	out, err = child(t, "open", dir).Output()
	require.NoError(t, err)
	require.Equal(t, "false <nil>\n", string(out))
	require.Equal(t, []string{"a"}, keys(t, open(t, dir)))
}

func recordKey(n int) string { return fmt.Sprintf("%09d", n) }

// childFill writes until no file may grow further, as on a full disk, and on
// from there. It prints how many writes were acknowledged before the first
// error, how many after it, and how many errors were of which kind.
func childFill(dir string) {
	s, err := Open(dir)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // get an error instead
	limit := syscall.Rlimit{Cur: 200_000, Max: 200_000}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	var before, after, failed, other int
	for n := range 1000 {
		done := make(chan error)
		s.Write(put(recordKey(n), strings.Repeat("v", 1000)), func(err error) { done <- err })
		switch err := <-done; {
		case err == nil && failed == 0:
			before++
		case err == nil:
			after++
		case errors.Is(err, store.ErrFailed):
			failed++
		default:
			other++
		}
	}
	fmt.Fprintln(os.Stdout, before, after, failed, other, len(mustKeys(s)), errors.Is(s.Close(), store.ErrFailed))
}

func mustKeys(s *Store) (keys []string) {
	err := s.Scan(nil, nil, func(key, _ []byte) bool {
		keys = append(keys, string(key))
		return true
	})
	if err != nil {
		panic(err)
	}
	return keys
}

func TestWriteErrorStopsTheStore(t *testing.T) {
	dir := t.TempDir()
	out, err := child(t, "fill", dir).Output()
	require.NoError(t, err)
	var before, after, failed, other, visible int
	var closeFailed bool
	_, err = fmt.Sscan(string(out), &before, &after, &failed, &other, &visible, &closeFailed)
	require.NoError(t, err, "%s", out)
	require.Positive(t, before)
	require.Positive(t, failed)
	require.Zero(t, after, "acknowledged after an error")
	require.Zero(t, other)
	require.Equal(t, 1000, before+failed)
	require.Equal(t, before, visible, "what failed isn't visible")
	require.True(t, closeFailed)

	got := keys(t, open(t, dir))
	require.Len(t, got, before)
	require.Equal(t, recordKey(before-1), got[before-1])
}
