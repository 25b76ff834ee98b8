package storage

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// needStrace skips the test where nothing can be traced.
func needStrace(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "strace", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace is needed, and the right to trace: %v %s; install it, run this as root", err, out)
	}
}

// injecting are the words that run a command under strace with a fault in it.
func injecting(calls, fault, trace string) []string {
	return []string{
		"strace", "-f", "-qq", "-y", "-s", "0", "-o", trace,
		"-e", "trace=" + calls, "-e", "inject=" + calls + ":" + fault,
	}
}

var pathInTrace = regexp.MustCompile(`/([^/<>"]+)[>"]`)

// where finds in a trace the last call that has the mark, and on what kind of
// file; "" if there is none.
func where(trace, mark string) string {
	text, err := os.ReadFile(trace)
	if err != nil {
		return ""
	}
	for _, line := range slices.Backward(strings.Split(string(text), "\n")) {
		if !strings.Contains(line, mark) {
			continue
		}
		_, line, _ = strings.Cut(line, " ") // the thread
		call, _, _ := strings.Cut(strings.TrimSpace(line), "(")
		paths := pathInTrace.FindAllStringSubmatch(line, -1)
		if len(paths) == 0 {
			return call + " elsewhere"
		}
		return call + " " + fileKind(paths[len(paths)-1][1])
	}
	return ""
}

// fileKind is a file's name without what numbers it.
func fileKind(name string) string {
	switch ext := filepath.Ext(name); {
	case strings.HasPrefix(name, "LOG"):
		return "LOG"
	case ext != "":
		return ext
	case name == "store" || name == "data" || name == "disk":
		return "directory"
	}
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

func TestWhere(t *testing.T) {
	for line, want := range map[string]string{
		`7 fdatasync(9</tmp/x/store/000012.log>) = ?`:                                      "fdatasync .log",
		`7 fsync(8</tmp/x/store>) = ?`:                                                     "fsync directory",
		`7 write(1<pipe:[271]>, ""..., 9) = ?`:                                             "write elsewhere",
		`7 rename("/tmp/x/store/000003.dbtmp", "/tmp/x/store/CURRENT") = ?`:                "rename CURRENT",
		`7 openat(AT_FDCWD</tmp/cwd>, "/tmp/x/store/MANIFEST-000005", O_RDWR|O_CREAT) = ?`: "openat MANIFEST",
		`7 rename("/tmp/x/store/LOG", "/tmp/x/store/LOG.old.1732") = ?`:                    "rename LOG",
		`7 write(4</tmp/x/store/000012.log>, ""..., 9) = 9`:                                "",
	} {
		trace := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(trace, []byte(line+"\n7 +++ killed by SIGKILL +++\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := where(trace, "= ?"); got != want {
			t.Errorf("%s: %q, not %q", line, got, want)
		}
	}
}
