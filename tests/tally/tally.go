package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json` and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events, in place of Package
	FailedBuild string // on a failed package: the import path that did not build
	Test        string
	Output      string
	Elapsed     float64 // seconds
}

// suite is what is known of one package so far.
type suite struct {
	passed, failed, skipped int
	output                  map[string][]string // of each unfinished test; "" is the package's own
}

type tally struct {
	out                     io.Writer
	verbose                 bool
	suites                  map[string]*suite
	builds                  map[string][]string // what the compiler said, per import path
	passed, failed, skipped int
}

func newTally(out io.Writer, verbose bool) *tally {
	return &tally{out: out, verbose: verbose, suites: map[string]*suite{}, builds: map[string][]string{}}
}

// read takes events until the end of r. Lines that are no events pass through.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				t.take(e)
			} else {
				t.printf("%s\n", strings.TrimRight(line, "\n"))
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
	}
}

func (t *tally) take(e event) {
	if e.Action == "build-output" {
		t.builds[e.ImportPath] = append(t.builds[e.ImportPath], e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	s := t.suites[e.Package]
	if s == nil {
		s = &suite{output: map[string][]string{}}
		t.suites[e.Package] = s
	}
	switch {
	case e.Action == "output":
		s.output[e.Test] = append(s.output[e.Test], e.Output)
		if t.verbose {
			t.printf("%s", e.Output)
		}
	case e.Test != "":
		t.endTest(s, e)
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		t.endPackage(s, e)
	}
}

// endTest counts a finished test. Its output is dropped, but for one that failed or was skipped.
func (t *tally) endTest(s *suite, e event) {
	output := s.output[e.Test]
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		t.show(output)
	case "skip":
		s.skipped++
		t.printf("skip  %s %s: %s\n", e.Package, e.Test, reason(output))
	default:
		return // run, pause, cont
	}
	delete(s.output, e.Test)
}

func (t *tally) endPackage(s *suite, e event) {
	if e.Action == "fail" {
		t.show(t.builds[e.FailedBuild])
		if s.failed == 0 {
			s.failed = 1 // no test is to blame: it did not build, or its process died
		}
		for _, output := range s.output {
			t.show(output)
		}
	}
	t.passed += s.passed
	t.failed += s.failed
	t.skipped += s.skipped
	if e.Action == "fail" || s.passed > 0 {
		word := map[string]string{"pass": "ok  ", "fail": "FAIL"}[e.Action]
		t.printf("%s  %-56s %4d passed %7.1fs\n", word, e.Package, s.passed, e.Elapsed)
	}
	delete(t.suites, e.Package)
}

// close prints the last line and reports whether the run was good. A package without an end has failed.
func (t *tally) close() bool {
	for name, s := range t.suites {
		t.printf("FAIL  %s did not finish\n", name)
		t.passed += s.passed
		t.failed += s.failed + 1
		t.skipped += s.skipped
	}
	if t.passed == 0 && t.failed == 0 {
		t.printf("FAIL  no test ran\n")
		t.failed = 1
	}
	t.printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return t.failed == 0
}

// show prints the output of something that failed, unless it was printed already.
func (t *tally) show(output []string) {
	if !t.verbose {
		t.printf("%s", strings.Join(output, ""))
	}
}

func (t *tally) printf(format string, args ...any) {
	// Standard output is a terminal or a log; where it can't be written, nobody is left to tell.
	_, _ = fmt.Fprintf(t.out, format, args...)
}

// reason is what a skipped test said, in one line, without the marks of the test runner.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}
