package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict is what Check found. Only Linearizable is good news.
type Verdict string

// The verdicts.
const (
	Linearizable Verdict = "linearizable"
	Illegal      Verdict = "not linearizable"
	Undecided    Verdict = "undecided in the time allowed"
	Malformed    Verdict = "malformed"
)

// maxShown bounds how many illegal users a report and a picture name.
const maxShown = 8

// Info is what Check saw.
type Info struct {
	Operations int      // recorded
	Users      int      // ids with at least one operation that counts
	Dropped    int      // said nothing: unavailable, or a read without an answer
	Open       int      // writes without an answer
	Bad        []string // ids whose history is illegal or undecided, at most 8
	Problem    error    // why the history is malformed

	picture *porcupine.LinearizationInfo
}

// String is one line for a log.
func (i Info) String() string {
	s := fmt.Sprintf("%d operations on %d users, %d without an answer, %d dropped", i.Operations, i.Users, i.Open, i.Dropped)
	if len(i.Bad) > 0 {
		s += "; see " + strings.Join(i.Bad, ", ")
	}
	if i.Problem != nil {
		s += "; " + i.Problem.Error()
	}
	return s
}

// Check judges a history. It takes at most about limit (twice that when it has
// to draw an illegal history); what it can't decide in time is Undecided.
func Check(ops []Operation, limit time.Duration) (Verdict, Info) {
	info := Info{Operations: len(ops)}
	counted, err := convert(ops, &info)
	if err != nil {
		info.Problem = err
		return Malformed, info
	}
	parts := byID(counted)
	info.Users = len(parts)

	// One user after the other, so that a report can name the bad ones.
	verdict, m, deadline := Linearizable, model(), time.Now().Add(limit)
	var bad []porcupine.Operation
	for _, part := range parts {
		// A timeout of 0 would mean none.
		left := max(time.Until(deadline), time.Millisecond)
		result := porcupine.CheckOperationsTimeout(m, part, left)
		if result == porcupine.Ok {
			continue
		}
		if result == porcupine.Illegal || verdict == Linearizable {
			verdict = Undecided
			if result == porcupine.Illegal {
				verdict = Illegal
			}
		}
		info.Bad = append(info.Bad, part[0].Input.(Input).ID)
		bad = append(bad, part...)
		if len(info.Bad) == maxShown {
			break
		}
	}
	if len(bad) > 0 {
		_, picture := porcupine.CheckOperationsVerbose(m, bad, limit)
		info.picture = &picture
	}
	return verdict, info
}

// convert turns what counts into the checker's form and counts the rest. A
// write without an answer returns after everything else, on a row of its own,
// because its client went on without it.
func convert(ops []Operation, info *Info) ([]porcupine.Operation, error) {
	var end int64
	rows := 0
	for i, op := range ops {
		if err := op.validate(); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i+1, err)
		}
		end = max(end, op.Call, op.Return)
		rows = max(rows, op.Client+1)
	}
	counted := make([]porcupine.Operation, 0, len(ops))
	for _, op := range ops {
		if op.dropped() {
			info.Dropped++
			continue
		}
		c := porcupine.Operation{ClientId: op.Client, Input: op.Input, Call: op.Call, Output: op.Output, Return: op.Return}
		if op.open() {
			c.ClientId, c.Return = rows+info.Open, end+1
			c.Metadata = fmt.Sprintf("sent by client %d", op.Client)
			info.Open++
		}
		counted = append(counted, c)
	}
	return counted, nil
}

// Visualize writes an HTML page that shows the users named in Bad: their
// operations as bars in time, and how far the answers can be explained.
func (i Info) Visualize(path string) error {
	if i.picture == nil {
		return errors.New("nothing to draw: only an illegal or undecided history has a picture")
	}
	if err := porcupine.VisualizePath(model(), *i.picture, path); err != nil {
		return fmt.Errorf("draw the history: %w", err)
	}
	return nil
}

// Require fails the test unless ops is linearizable. It then leaves the history
// and its picture in dir, which outlives the test if the caller wants to look.
func Require(tb testing.TB, ops []Operation, limit time.Duration, dir string) Info {
	tb.Helper()
	verdict, info := Check(ops, limit)
	if verdict == Linearizable {
		return info
	}
	files, err := info.Keep(ops, dir, "history")
	if err != nil {
		tb.Error(err)
	}
	tb.Fatalf("the history is %s: %s\nkept in %s", verdict, info, files)
	return info
}

// Keep leaves a history that did not pass in dir: NAME.jsonl, to be judged
// again, and NAME.html if there is a picture. It returns words that say where.
func (i Info) Keep(ops []Operation, dir, name string) (files string, err error) {
	log := filepath.Join(dir, name+".jsonl")
	if err := WriteFile(log, ops); err != nil {
		return "no file", err
	}
	files = log
	if i.picture != nil {
		page := filepath.Join(dir, name+".html")
		if err = i.Visualize(page); err == nil {
			files += " and " + page
		}
	}
	return files + "; judge it again with go run ./tests/history/cmd/judge " + log, err
}

// WriteFile writes ops to a new file.
func WriteFile(path string, ops []Operation) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write a history: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return Write(f, ops)
}
