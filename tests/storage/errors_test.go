package storage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestErrors makes one system call of a writer fail, mostly a sync. The store
// must stop at once, or refuse to open, unless it can do without that call;
// whatever it acknowledged is there when it is opened again.
func TestErrors(t *testing.T) {
	needStrace(t)
	s := newSeries(t)
	faults := []struct {
		class
		errno string
	}{
		{class{"fsync,fdatasync", 80}, "EIO"},
		{class{"fsync,fdatasync", 80}, "EIO"},
		{class{"fsync,fdatasync", 80}, "EIO"},
		{class{rangeCall, 20}, "EIO"},
		{class{writeCalls, 150}, "EIO"},
		{class{writeCalls, 150}, "ENOSPC"},
		{class{nameCalls, 5}, "EIO"},
	}
	s.run(number(t, "DYAD_ERRORS", 5), func(*lineage) {}, func(l *lineage) (life, string) {
		fault := faults[s.rand.IntN(len(faults))]
		trace := filepath.Join(t.TempDir(), "trace")
		f := l.live(t, nil, injecting(fault.calls, fmt.Sprintf("error=%s:when=%d", fault.errno, fault.draw(s.rand)), trace)...)
		return f, l.failed(f, where(trace, "(INJECTED)", l.dir), fault.errno)
	})
}

// As Debian builds RocksDB it asserts, and the process aborts, where it tries on
// each new file whether there is this call, which starts to write early what a
// sync will wait for; where its own LOG can't be written; and, seldom, where it
// goes on with a log after it failed to write it, though it then asserts that
// nobody does.
const (
	rangeCall   = "sync_file_range"
	logCall     = "write LOG"
	walCall     = "write .log"
	walAsserted = "AssertFalseAndGetStatusForPrevError"
)

// failed judges how a writer took the failure of a call, "" if none failed.
func (l *lineage) failed(f life, call, errno string) string {
	outcome := ""
	switch {
	case f.failed:
		outcome = "it stopped"
	case f.refused != "":
		outcome = "it did not open"
	case f.closed:
		outcome = "it went on"
	case strings.HasPrefix(call, rangeCall), call == logCall,
		strings.HasPrefix(call, walCall) && strings.Contains(f.stderr, walAsserted):
		outcome = "it aborted"
	}
	switch {
	case call == "write elsewhere": // to us, or in Go's runtime
		return ""
	case call == "" && !f.closed, outcome == "":
		l.finding("it did not end well: refused %q, exit code %d, %s", f.refused, f.exitCode, f.stderr)
	case call == "":
		return ""
	case strings.HasSuffix(call, "sync .log") && f.closed:
		l.finding("it went on after the sync of a log had failed")
	}
	return fmt.Sprintf("%s %s: %s", errno, call, outcome)
}
