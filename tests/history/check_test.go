package history_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
)

// limit is far more than any history here needs.
const limit = time.Minute

// at makes one operation of a client, from call to return.
func at(client int, call, ret int64, in history.Input, out history.Output) history.Operation {
	return history.Operation{Client: client, Call: call, Return: ret, Input: in, Output: out}
}

func ann(group int) history.User {
	return history.User{ID: "ann", Name: "Ann", Email: "ann@example.com", Group: group}
}

func group(g int) history.Input { return history.Update("ann", history.Patch{Group: &g}) }

func name(n string) history.Input { return history.Update("ann", history.Patch{Name: &n}) }

// called returns ann's user with another name.
func called(n string, u history.User) history.User {
	u.Name = n
	return u
}

var (
	done     = history.Ended(history.OK)
	notFound = history.Ended(history.NotFound)
	exists   = history.Ended(history.Exists)
	unknown  = history.Ended(history.Unknown)
	down     = history.Ended(history.Unavailable)

	created = at(0, 0, 1, history.Create(ann(1)), history.Done(ann(1)))
)

// logged returns a history as it comes back from the log that is kept of it.
func logged(t *testing.T, ops []history.Operation) []history.Operation {
	t.Helper()
	var log bytes.Buffer
	require.NoError(t, history.Write(&log, ops))
	back, err := history.Read(&log)
	require.NoError(t, err)
	require.Len(t, back, len(ops))
	return back
}

func TestLinearizable(t *testing.T) {
	for title, ops := range map[string][]history.Operation{
		"nothing happened": {},
		"one after the other": {
			at(0, 0, 1, history.Get("ann"), notFound),
			at(0, 2, 3, group(2), notFound),
			at(0, 4, 5, history.Delete("ann"), notFound),
			at(0, 6, 7, history.Create(ann(1)), history.Done(ann(1))),
			at(0, 8, 9, history.Create(ann(2)), exists),
			at(0, 10, 11, group(3), history.Done(ann(3))),
			at(0, 12, 13, history.Get("ann"), history.Done(ann(3))),
			at(0, 14, 15, history.Delete("ann"), done),
			at(0, 16, 17, history.Get("ann"), notFound),
			at(0, 18, 19, history.Create(ann(4)), history.Done(ann(4))),
		},
		"reads beside a write see either side, in order": {
			created,
			at(1, 2, 20, group(2), history.Done(ann(2))),
			at(2, 3, 4, history.Get("ann"), history.Done(ann(1))),
			at(2, 5, 6, history.Get("ann"), history.Done(ann(2))),
			at(3, 7, 8, history.Get("ann"), history.Done(ann(2))),
		},
		"two updates of different fields at once both survive": {
			created,
			at(1, 2, 9, group(2), history.Done(ann(2))),
			at(2, 2, 9, name("Anna"), history.Done(called("Anna", ann(2)))),
			at(0, 10, 11, history.Get("ann"), history.Done(called("Anna", ann(2)))),
		},
		"of two creates at once one is refused": {
			at(1, 0, 5, history.Create(ann(1)), history.Done(ann(1))),
			at(2, 0, 5, history.Create(ann(2)), exists),
		},
		"a create is answered 201 again after a delete that returned later": {
			created,
			at(1, 2, 20, history.Delete("ann"), done),
			at(2, 3, 4, history.Create(ann(2)), history.Done(ann(2))),
		},
		"an open write took effect late": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
			at(2, 6, 7, history.Get("ann"), history.Done(ann(1))),
			at(2, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"an open write never took effect": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 40, 41, history.Get("ann"), history.Done(ann(1))),
			at(2, 42, 43, group(3), history.Done(ann(3))),
			at(2, 44, 45, history.Get("ann"), history.Done(ann(3))),
		},
		"two open writes of one value look like one write that happened twice": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 2, 3, group(2), unknown),
			at(3, 4, 5, history.Get("ann"), history.Done(ann(2))),
			at(3, 6, 7, group(3), history.Done(ann(3))),
			at(3, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"an open delete explains one absence": {
			created,
			at(1, 2, 3, history.Delete("ann"), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
			at(2, 6, 7, history.Get("ann"), notFound),
			at(2, 8, 9, history.Create(ann(2)), history.Done(ann(2))),
		},
		"an open create on a user that is there did nothing": {
			created,
			at(1, 2, 3, history.Create(ann(2)), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
		},
		"an open create explains a refusal": {
			at(1, 0, 1, history.Create(ann(1)), unknown),
			at(2, 2, 3, history.Create(ann(2)), exists),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
		},
		"an open update of a user that was deleted and created anew took effect once": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 4, 5, history.Delete("ann"), done),
			at(2, 6, 7, history.Create(ann(3)), history.Done(ann(3))),
			at(2, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"an open delete explains a second creation": {
			created,
			at(1, 2, 3, history.Delete("ann"), unknown),
			at(2, 4, 5, history.Create(ann(2)), history.Done(ann(2))),
		},
		"an open create took effect after the user was deleted": {
			created,
			at(1, 2, 3, history.Create(ann(2)), unknown),
			at(2, 4, 5, history.Delete("ann"), done),
			at(2, 6, 7, history.Get("ann"), notFound),
			at(2, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"what was unavailable left no trace": {
			created,
			at(1, 2, 3, group(2), down),
			at(1, 4, 5, history.Get("ann"), down),
			at(1, 6, 7, history.Get("ann"), history.Done(ann(1))),
		},
		"a failed read says nothing": {
			created,
			at(1, 2, 3, history.Get("ann"), unknown),
		},
		"another user is another history": {
			created,
			at(0, 2, 3, history.Get("bob"), notFound),
		},
	} {
		t.Run(title, func(t *testing.T) {
			verdict, info := history.Check(logged(t, ops), limit)
			assert.Equal(t, history.Linearizable, verdict, info.String())
			assert.Empty(t, info.Bad)
		})
	}
}

func TestMalformed(t *testing.T) {
	for title, op := range map[string]history.Operation{
		"no id":                   at(0, 0, 1, history.Get(""), notFound),
		"returned before called":  at(0, 5, 1, history.Get("ann"), notFound),
		"unknown kind":            at(0, 0, 1, history.Input{Kind: "upsert", ID: "ann"}, done),
		"unknown outcome":         at(0, 0, 1, history.Get("ann"), history.Ended("fine")),
		"outcome of another kind": at(0, 0, 1, history.Get("ann"), exists),
		"create without a user":   at(0, 0, 1, history.Input{Kind: history.KindCreate, ID: "ann"}, exists),
		"create of another id":    at(0, 0, 1, history.Input{Kind: history.KindCreate, ID: "bob", User: new(ann(1))}, exists),
		"update without a patch":  at(0, 0, 1, history.Input{Kind: history.KindUpdate, ID: "ann"}, notFound),
		"ok read without a user":  at(0, 0, 1, history.Get("ann"), done),
		"delete with a user":      at(0, 0, 1, history.Delete("ann"), history.Done(ann(1))),
	} {
		t.Run(title, func(t *testing.T) {
			verdict, info := history.Check([]history.Operation{created, op}, limit)
			assert.Equal(t, history.Malformed, verdict)
			assert.ErrorContains(t, info.Problem, "operation 2")
		})
	}
}

// A history that can't be decided in time must not pass: 40 open updates that
// all have to be tried in every order.
func TestUndecidedIsNoApproval(t *testing.T) {
	ops := []history.Operation{created}
	for i := range 40 {
		ops = append(ops, at(i+1, 2, 3, group(i+2), unknown))
	}
	ops = append(ops, at(0, 4, 5, history.Get("ann"), history.Done(ann(100))))
	verdict, info := history.Check(ops, 50*time.Millisecond)
	assert.Equal(t, history.Undecided, verdict)
	assert.Equal(t, []string{"ann"}, info.Bad)
}

func TestInfoCounts(t *testing.T) {
	_, info := history.Check([]history.Operation{
		created,
		at(1, 2, 3, group(2), unknown),
		at(1, 4, 5, history.Get("ann"), unknown),
		at(1, 6, 7, group(3), down),
		at(2, 2, 3, history.Get("bob"), notFound),
	}, limit)
	assert.Equal(t, "5 operations on 2 users, 1 without an answer, 2 dropped", info.String())
}

func TestPictureOfAnIllegalHistory(t *testing.T) {
	ops := []history.Operation{
		created,
		at(1, 2, 3, name("Änne"), unknown),
		at(2, 4, 5, history.Get("ann"), notFound),
	}
	_, info := history.Check(ops, limit)
	page := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, info.Visualize(page))
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(html), `update ann(name=\"Änne\") → no answer`)
	assert.Contains(t, string(html), `get ann() → not found`)
	assert.Contains(t, string(html), "sent by client 1")

	_, info = history.Check(ops[:1], limit)
	assert.ErrorContains(t, info.Visualize(page), "nothing to draw")
}

// fatal notes that a test was failed, in place of failing it.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Helper() {}

func (f *fatal) Fatalf(string, ...any) { f.said = "failed" }

func TestRequireKeepsTheHistory(t *testing.T) {
	dir := t.TempDir()
	bad := []history.Operation{created, at(2, 4, 5, history.Get("ann"), notFound)}

	tb := &fatal{TB: t}
	history.Require(tb, bad[:1], limit, dir)
	assert.Empty(t, tb.said)

	history.Require(tb, bad, limit, dir)
	assert.Equal(t, "failed", tb.said)
	assert.FileExists(t, filepath.Join(dir, "history.html"))
	f, err := os.Open(filepath.Join(dir, "history.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	kept, err := history.Read(f)
	require.NoError(t, err)
	assert.Equal(t, bad, kept)
}
