package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
)

// The test binary runs itself as the writer: dirEnv says on which directory,
// seedEnv which steps.
const (
	dirEnv  = "DYAD_TEST_WRITER_DIR"
	seedEnv = "DYAD_TEST_WRITER_SEED"
)

// What a writer prints, a line each. All it holds is told after each opening.
const (
	saysHas     = "has"     // KEY SUM
	saysOpened  = "opened"  // STEP: the last one that is there
	saysAcked   = "acked"   // STEP is durable
	saysFailed  = "failed"  // STEP: the store refused it
	saysRefused = "refused" // WHY: the store can't be opened
	saysClosed  = "closed"  // all went well
)

const (
	stepsPerLife  = 150
	stepsInVain   = 20 // that are tried once the store has failed
	exitRefused   = 3
	exitUnheard   = 4
	exitMisplaced = 5
)

func TestMain(m *testing.M) {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	seed, err := strconv.ParseUint(os.Getenv(seedEnv), 10, 64)
	if err != nil {
		panic(err)
	}
	w := &writer{dir: dir, steps: steps{seed}}
	w.underWay = make(chan struct{}, w.steps.window())
	w.open()
	os.Exit(w.run())
}

type writer struct {
	dir      string
	steps    steps
	store    *rocks.Store
	last     int           // step that was handed to the store
	underWay chan struct{} // the steps that are not answered yet
	failed   chan struct{} // closed by the first step that failed
}

func (w *writer) say(words ...any) {
	if _, err := fmt.Fprintln(os.Stdout, words...); err != nil {
		os.Exit(exitUnheard)
	}
}

// open opens the store and tells what is in it.
func (w *writer) open() {
	s, err := rocks.Open(w.dir)
	if err != nil {
		w.say(saysRefused, err)
		os.Exit(exitRefused)
	}
	w.store, w.last, w.failed = s, 0, make(chan struct{})
	var text bytes.Buffer
	err = s.Scan(nil, nil, func(key, value []byte) bool {
		if string(key) == counterKey {
			w.last, _ = strconv.Atoi(string(value)) // 0 will not do
		}
		fmt.Fprintln(&text, saysHas, string(key), sum(value))
		return true
	})
	if err != nil {
		w.say(saysRefused, err)
		os.Exit(exitRefused)
	}
	fmt.Fprint(&text, saysOpened, " ", w.last)
	w.say(text.String())
}

// run lives one life and returns the exit code.
func (w *writer) run() int {
	for end := w.last + stepsPerLife; w.last < end && !w.hasFailed(); {
		switch w.steps.event(w.last + 1) {
		case nothing:
		case compact:
			go func(s *rocks.Store) { _ = s.Compact() }(w.store) // closing cuts it short
		case reopen:
			if !w.close() {
				return 1
			}
			w.open()
		}
		w.step()
	}
	if w.hasFailed() {
		for range stepsInVain {
			w.step()
		}
	}
	if !w.close() {
		return 1
	}
	w.say(saysClosed)
	return 0
}

func (w *writer) hasFailed() bool {
	select {
	case <-w.failed:
		return true
	default:
		return false
	}
}

// step hands the next step to the store.
func (w *writer) step() {
	w.underWay <- struct{}{}
	w.last++
	n, failed := w.last, w.failed
	w.store.Write(w.steps.ops(n), func(err error) {
		switch {
		case err == nil:
			w.say(saysAcked, n)
		case errors.Is(err, store.ErrFailed):
			w.say(saysFailed, n, err)
			select {
			case <-failed:
			default:
				close(failed) // dones run one at a time
			}
		default: // the contract knows no other error here
			w.say(saysFailed, n, err)
			os.Exit(exitMisplaced)
		}
		<-w.underWay
	})
}

// close says whether all steps are durable. The store that failed stays failed.
func (w *writer) close() bool {
	err := w.store.Close()
	if err != nil && !w.hasFailed() {
		w.say(saysRefused, "to close:", err)
		os.Exit(exitMisplaced)
	}
	return err == nil
}
