package sim

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// judgeTime bounds the checker; a run that takes longer counts as bad.
const judgeTime = 20 * time.Second

// judge checks that each key was one linearizable register. Changes of unknown
// outcome are what the checker is slow with, and few of them explain anything: it
// is given few at first.
func (o *oracle) judge() {
	for k, history := range o.histories {
		verdict := porcupine.Illegal
		for _, few := range []int{0, 4, len(history)} {
			if verdict != porcupine.Ok {
				verdict = check(o.tick(), o.plausible(history, few))
			}
		}
		switch verdict {
		case porcupine.Ok:
		case porcupine.Illegal:
			o.violate("the history of %s is not linearizable", o.sim.keys[k].name)
		case porcupine.Unknown:
			o.violate("the history of %s could not be judged in %v", o.sim.keys[k].name, judgeTime)
		}
	}
}

func check(end int64, history []porcupine.Operation) porcupine.CheckResult {
	last := &operation{kind: opEnd}
	history = append(history, porcupine.Operation{Input: last, Output: last, Call: end, Return: end + 1})
	return porcupine.CheckOperationsTimeout(model(), history, judgeTime)
}

// plausible is a history with the first few only of the creates of unknown outcome
// that nobody saw, and a few more of the deletes. The one that was called earlier
// can explain whatever a later one can. Such appends are dropped: any document
// that they could change for a delete, the delete takes as well without them.
func (o *oracle) plausible(history []porcupine.Operation, few int) (out []porcupine.Operation) {
	words := map[string]bool{}
	for i := range history {
		if op := history[i].Input.(*operation); !op.unlimited {
			for word := range strings.FieldsSeq(op.document) {
				words[word] = true
			}
		}
	}
	byCall := func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) }
	creates, deletes := few, few+4
	for _, h := range slices.SortedFunc(slices.Values(history), byCall) {
		op := h.Input.(*operation)
		keep := !op.unlimited || words[op.token]
		switch {
		case keep:
		case op.kind == opCreate:
			creates--
			keep = creates >= 0
		case op.kind == opDelete:
			deletes--
			keep = deletes >= 0
		}
		if keep {
			out = append(out, h)
		}
	}
	return out
}

// ended is the state after opEnd, which follows everything that a client was
// told. Writes of unknown outcome that never took effect come after it, in any
// order: the checker would else try each of them at each moment.
const ended = "\x00"

// model is one register; its state is the document, empty when absent.
func model() porcupine.Model {
	return porcupine.Model{
		Init:  func() any { return "" },
		Equal: func(a, b any) bool { return a.(string) == b.(string) },
		Step: func(state, in, _ any) (bool, any) {
			return in.(*operation).step(state.(string))
		},
	}
}

// step reports whether the operation can have seen a document, and what came after.
func (o *operation) step(old string) (bool, any) {
	if o.kind == opEnd || old == ended {
		return true, ended
	}
	next, refused := o.expect(old)
	switch {
	case refused:
		return o.outcome == outcomeRefused && o.document == old, old
	case o.unlimited:
		return true, next
	}
	return o.outcome == outcomeDone && o.document == next, next
}

// expect is what the operation does to a document.
func (o *operation) expect(old string) (next string, refused bool) {
	switch o.kind {
	case opCreate:
		return o.token, old != ""
	case opAppend:
		return old + " " + o.token, old == ""
	case opDelete:
		return "", old == ""
	case opRead, opRewrite, opEnd:
	}
	return old, false
}
