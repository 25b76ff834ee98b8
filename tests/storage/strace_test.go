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

var pathInTrace = regexp.MustCompile(`[<"](/[^<>"]*)[>"]`)

// where finds in a trace the last call that has the mark, and on what kind of
// file below dir; "" if there is none.
func where(trace, mark, dir string) string {
	text, err := os.ReadFile(trace)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	for at, line := range slices.Backward(lines) {
		if !strings.Contains(line, mark) {
			continue
		}
		thread, _, _ := strings.Cut(line, " ")
		for strings.Contains(line, " resumed>") && at > 0 { // its words were said before
			at--
			if strings.HasPrefix(lines[at], thread+" ") && strings.Contains(lines[at], "<unfinished") {
				line = lines[at]
			}
		}
		_, line, _ = strings.Cut(line, " ")
		call, _, _ := strings.Cut(strings.TrimSpace(line), "(")
		paths := pathInTrace.FindAllStringSubmatch(line, -1)
		if len(paths) == 0 {
			return call + " elsewhere"
		}
		path := paths[len(paths)-1][1]
		if !strings.HasPrefix(path, dir) {
			return ""
		}
		return call + " " + fileKind(filepath.Base(path))
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
	const unfinished = "7 ftruncate(4</d/store/3.log>, 0 <unfinished ...>\n8 fsync(5</d/store/4.sst>)    = 0\n7 <... ftruncate resumed>)     = ?"
	for _, c := range [][2]string{
		{`7 fdatasync(9</d/store/000012.log>) = ?`, "fdatasync .log"},
		{`7 fsync(8</d/store>) = ?`, "fsync directory"},
		{`7 write(1<pipe:[271]>, ""..., 9) = ?`, "write elsewhere"},
		{`7 rename("/d/store/000003.dbtmp", "/d/store/CURRENT") = ?`, "rename CURRENT"},
		{`7 openat(AT_FDCWD</cwd>, "/d/store/MANIFEST-000005", O_RDWR|O_CREAT) = ?`, "openat MANIFEST"},
		{`7 openat(AT_FDCWD</cwd>, "/etc/ld.so.cache", O_RDONLY) = ?`, ""},
		{`7 rename("/d/store/LOG", "/d/store/LOG.old.1732") = ?`, "rename LOG"},
		{unfinished, "ftruncate .log"},
		{`7 write(4</d/store/000012.log>, ""..., 9) = 9`, ""},
	} {
		line, want := c[0], c[1]
		trace := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(trace, []byte(line+"\n7 +++ killed by SIGKILL +++\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := where(trace, "= ?", "/d"); got != want {
			t.Errorf("%s: %q, not %q", line, got, want)
		}
	}
}
