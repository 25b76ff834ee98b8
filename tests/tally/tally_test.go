package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tallied runs the real `go test -json` over one test file of its own module and tallies its events.
func tallied(t *testing.T, test string) (out string, good bool) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\n\nimport \"testing\"\n\n"+test), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-json", "./...")
	cmd.Dir = dir
	events, _ := cmd.Output() // fails wherever a test fails, as it should
	return tallyOf(t, string(events))
}

func tallyOf(t *testing.T, events string) (out string, good bool) {
	t.Helper()
	var buffer bytes.Buffer
	tally := newTally(&buffer, false)
	require.NoError(t, tally.read(strings.NewReader(events)))
	good = tally.close()
	return buffer.String(), good
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

func TestPassesAndSkipsAreCounted(t *testing.T) {
	out, good := tallied(t, `
func TestA(t *testing.T) { t.Log("chatter"); t.Run("x", func(*testing.T) {}); t.Run("y", func(*testing.T) {}) }
func TestB(t *testing.T) { t.Skip("there is no moon") }`)
	require.True(t, good, out)
	require.Equal(t, "3 passed, 0 failed, 1 skipped", lastLine(out))
	require.Regexp(t, `skip  example TestB: .*there is no moon`, out)
	require.NotContains(t, out, "chatter", "the output of what passed is noise")
}

func TestAFailureShowsItsOutput(t *testing.T) {
	out, good := tallied(t, `
func TestA(t *testing.T) {}
func TestB(t *testing.T) { t.Error("the cat is dead") }`)
	require.False(t, good)
	require.Equal(t, "1 passed, 1 failed, 0 skipped", lastLine(out))
	require.Contains(t, out, "the cat is dead")
}

func TestAPackageThatDoesNotBuildFails(t *testing.T) {
	out, good := tallied(t, `func TestA(t *testing.T) { undefinedThing() }`)
	require.False(t, good)
	require.Equal(t, "0 passed, 1 failed, 0 skipped", lastLine(out))
	require.Contains(t, out, "undefinedThing")
}

func TestAProcessThatDiesFails(t *testing.T) {
	out, good := tallied(t, `
func TestA(*testing.T) {}
func TestMain(m *testing.M) { m.Run(); panic("the process dies here") }`)
	require.False(t, good)
	require.Equal(t, "1 passed, 1 failed, 0 skipped", lastLine(out))
	require.Contains(t, out, "the process dies here")
}

func TestNoTestAtAllFails(t *testing.T) {
	out, good := tallied(t, `var _ = testing.Short`)
	require.False(t, good)
	require.Equal(t, "0 passed, 1 failed, 0 skipped", lastLine(out))
}

func TestAPackageWithoutAnEndFails(t *testing.T) {
	out, good := tallyOf(t, `{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"TestA"}
a line that is no event
`)
	require.False(t, good)
	require.Equal(t, "1 passed, 1 failed, 0 skipped", lastLine(out))
	require.Contains(t, out, "a line that is no event", "what the go command says beside the events is kept")
}
