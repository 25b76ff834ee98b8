package history_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/tests/history"
)

// The checker must agree with a slow one that is obviously right: it tries
// every order of the operations, and for each unknown write both that it
// happened and that it never did.
func TestAgreesWithTheSlowChecker(t *testing.T) {
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(drawOperation), 1, 6).Draw(t, "history")
		verdict, info := history.Check(ops, limit)
		legal := explainable(nil, ops)
		require.Equal(t, legal, verdict == history.Linearizable, "%s: %v", info, ops)
		verdicts[legal]++
	})
	require.NotZero(t, verdicts[true], "the generator must make legal histories")
	require.NotZero(t, verdicts[false], "the generator must make illegal histories")
}

// drawOperation draws one of few values and instants, so that histories are
// legal about as often as not.
func drawOperation(t *rapid.T) history.Operation {
	call := rapid.Int64Range(0, 8).Draw(t, "call")
	op := history.Operation{Client: 0, Call: call, Return: call + rapid.Int64Range(0, 8).Draw(t, "took")}
	group := rapid.IntRange(1, 2).Draw(t, "group")
	refusal := history.NotFound
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		op.Input, refusal = history.Create(ann(group)), history.Exists
	case 1:
		op.Input = history.Get("ann")
	case 2:
		op.Input = history.Update("ann", history.Patch{Group: &group})
	case 3:
		op.Input = history.Delete("ann")
	}
	op.Output = history.Ended(rapid.SampledFrom([]history.Outcome{
		history.OK, history.OK, history.OK, refusal, history.Unknown, history.Unavailable,
	}).Draw(t, "outcome"))
	if op.Output.Outcome == history.OK && op.Input.Kind != history.KindDelete {
		op.Output = history.Done(ann(group))
	}
	return op
}

// explainable reports whether some order of ops answers each of them as it was
// answered, starting from the user as it is (nil: absent).
func explainable(user *history.User, ops []history.Operation) bool {
	required := false
	for i, op := range ops {
		out := op.Output.Outcome
		lost := out == history.Unknown || out == history.Unavailable
		required = required || !lost
		if out == history.Unavailable || !mayComeFirst(op, ops) {
			continue
		}
		result, after := perform(user, op.Input)
		if !lost && !sameAnswer(result, op.Output) {
			continue
		}
		rest := append(append([]history.Operation{}, ops[:i]...), ops[i+1:]...)
		if explainable(after, rest) {
			return true
		}
	}
	return !required // what is left may never have happened
}

// mayComeFirst reports whether no answered operation returned before op was
// called.
func mayComeFirst(op history.Operation, ops []history.Operation) bool {
	for _, other := range ops {
		answered := other.Output.Outcome != history.Unknown && other.Output.Outcome != history.Unavailable
		if answered && other.Return < op.Call {
			return false
		}
	}
	return true
}

// perform is the users API, written down a second time.
func perform(user *history.User, in history.Input) (history.Output, *history.User) {
	switch in.Kind {
	case history.KindCreate:
		if user != nil {
			return exists, user
		}
		return history.Done(*in.User), in.User
	case history.KindGet:
		if user != nil {
			return history.Done(*user), user
		}
	case history.KindUpdate:
		if user != nil {
			changed := in.Patch.Apply(*user)
			return history.Done(changed), &changed
		}
	case history.KindDelete:
		if user != nil {
			return done, nil
		}
	}
	return notFound, user
}

func sameAnswer(a, b history.Output) bool {
	if a.Outcome != b.Outcome || (a.User == nil) != (b.User == nil) {
		return false
	}
	return a.User == nil || *a.User == *b.User
}
