package storage

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// class is some system calls, and up to which of them a fault is drawn. strace
// counts them in each thread.
type class struct {
	calls string
	most  int
}

// draw prefers the early ones, among which a store is opened.
func (c class) draw(r *rand.Rand) int { return 1 + r.IntN(1+r.IntN(c.most)) }

const (
	writeCalls = "write,pwrite64,writev,pwritev"
	syncCalls  = "fsync,fdatasync,sync_file_range"
	nameCalls  = "rename,renameat,renameat2,link,linkat"
	openCalls  = "openat,mkdir,mkdirat"
	dropCalls  = "unlink,unlinkat,ftruncate"
)

// TestKills kills a writer, with no warning, instead of a random system call or
// after a random acknowledgement, again and again on the same store.
func TestKills(t *testing.T) {
	s := newSeries(t)
	classes := []class{{writeCalls, 150}, {syncCalls, 80}, {nameCalls, 5}, {openCalls, 60}, {dropCalls, 10}}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Log("without strace the kills are after acknowledgements alone; install it")
		classes = nil
	}
	s.run(number(t, "DYAD_KILLS", 12), func(*lineage) {}, func(l *lineage) (life, string) {
		var f life
		kind := "after an acknowledgement"
		if c := s.rand.IntN(len(classes) + 1); c < len(classes) {
			trace := filepath.Join(t.TempDir(), "trace")
			when := classes[c].draw(s.rand)
			f = l.live(t, nil, injecting(classes[c].calls, fmt.Sprint("signal=KILL:when=", when), trace)...)
			kind = where(trace, "= ?", l.dir)
		} else {
			after := s.rand.IntN(stepsPerLife)
			f = l.live(t, func(acked int) bool { return acked > after })
		}
		if f.signal == syscall.SIGKILL {
			return f, kind
		}
		if !f.closed {
			l.finding("not killed, it did not end well: refused %q, exit code %d, %s", f.refused, f.exitCode, f.stderr)
		}
		return f, ""
	})
}
