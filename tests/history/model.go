package history

import (
	"hash/maphash"

	"github.com/anishathalye/porcupine"
)

// state is one user as the model sees it. The zero state is "absent".
type state struct {
	exists bool
	user   User // zero unless exists
}

// model is the sequential specification of one user. Unknown writes step like
// successful ones, or like refused ones where a success is impossible; as they
// stay open to the end, "never applied" is the same as "applied after the last
// answer", and no second branch is needed.
func model() porcupine.Model {
	seed := maphash.MakeSeed()
	return porcupine.Model{
		Partition: byID,
		Init:      func() any { return state{} },
		Step: func(s, in, out any) (bool, any) {
			ok, next := step(s.(state), in.(Input), out.(Output))
			return ok, next
		},
		Equal: func(a, b any) bool { return a.(state) == b.(state) },
		Hash:  func(s any) uint64 { return maphash.Comparable(seed, s.(state)) },
		DescribeOperation: func(in, out any) string {
			return in.(Input).String() + " → " + out.(Output).String()
		},
		DescribeState: func(s any) string {
			if st := s.(state); st.exists {
				return st.user.fields()
			}
			return "absent"
		},
	}
}

// step returns whether in can answer out in state s, and the state after it.
func step(s state, in Input, out Output) (bool, state) {
	if s.exists == (in.Kind == KindCreate) { // a create finds a user, or another operation none
		refused := out.Outcome == NotFound
		if in.Kind == KindCreate {
			refused = out.Outcome == Exists
		}
		return refused || out.Outcome == Unknown, s
	}
	next := s
	switch in.Kind {
	case KindCreate:
		next = state{exists: true, user: *in.User}
	case KindGet:
	case KindUpdate:
		next.user = in.Patch.Apply(s.user)
	case KindDelete:
		next = state{}
	}
	if out.Outcome == Unknown {
		return true, next
	}
	return out.Outcome == OK && (out.User == nil || *out.User == next.user), next
}

// byID splits a history into one per user, in the order of first appearance.
func byID(ops []porcupine.Operation) [][]porcupine.Operation {
	index := map[string]int{}
	var parts [][]porcupine.Operation
	for _, op := range ops {
		id := op.Input.(Input).ID
		i, known := index[id]
		if !known {
			i = len(parts)
			index[id] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}
