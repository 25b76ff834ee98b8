package user_test

import (
	stdjson "encoding/json"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/user"
)

// maxDocument bounds the stored form of a user that the rules let pass, in bytes.
const maxDocument = 4 << 10

func validator(tb testing.TB) *user.Validator {
	tb.Helper()
	rules, err := user.NewValidator()
	require.NoError(tb, err)
	return rules
}

// FuzzValidID: an id is valid if it is what the rule says, and can then stand in a
// path as it is.
func FuzzValidID(f *testing.F) {
	rules, rule := validator(f), regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}\z`)
	for _, id := range []string{"ada", "", "a b", "é", "ada\n", "0198a1b2-c3d4-7000-8000-0123456789ab"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		require.Equal(t, rule.MatchString(id), rules.ValidID(id))
		if rules.ValidID(id) {
			require.Equal(t, id, url.PathEscape(id))
		}
	})
}

// FuzzCreateAndUpdate takes two bodies through all that a create and an update do:
// what is stored is small, in one form, obeys the rules, and says what was asked.
func FuzzCreateAndUpdate(f *testing.F) {
	rules := validator(f)
	f.Add([]byte(ada), []byte(`{"id":"ada","group":8}`))
	f.Add([]byte(`{"id":"a","name":"e\u0301 \u2028","email":"a@b.example","group":0}`), []byte(`{"name":"\"\\\/"}`))
	f.Add([]byte(`{"id":"a","name":" ","email":"a","group":-1}`), []byte(`{"email":null}`))
	f.Fuzz(func(t *testing.T, body1, body2 []byte) {
		p, err := user.DecodePatch(body1)
		if err != nil {
			return
		}
		u, err := rules.New(p)
		if err != nil {
			var invalid *user.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid.Fields)
			return
		}
		doc := requireStored(t, rules, u, user.Create(u), nil)
		_, err = user.Create(u)(doc)
		require.ErrorIs(t, err, user.ErrExists)

		p, err = user.DecodePatch(body2)
		if err != nil {
			return
		}
		p.ID = &u.ID
		if p, err = rules.Patch(p); err != nil {
			return
		}
		u = patched(u, p)
		doc = requireStored(t, rules, u, user.Update(p), doc)
		again, err := user.Update(p)(doc)
		require.NoError(t, err)
		require.Equal(t, string(doc), string(again), "an update may run twice")
		_, err = user.Update(p)(nil)
		require.ErrorIs(t, err, user.ErrNotFound)
	})
}

// requireStored makes a change, checks that it stores u, and returns the document.
func requireStored(t *testing.T, rules *user.Validator, u user.User, change func([]byte) ([]byte, error), old []byte) []byte {
	t.Helper()
	before := string(old)
	doc, err := change(old)
	require.NoError(t, err)
	require.Equal(t, before, string(old), "a change leaves its argument alone")
	require.Less(t, len(doc), maxDocument)
	got, err := user.Decode(doc)
	require.NoError(t, err)
	require.Equal(t, u, got)
	encoded, err := user.Encode(got)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(encoded), "one form")
	valid, err := rules.New(user.Patch{ID: &u.ID, Name: &u.Name, Email: &u.Email, Group: &u.Group})
	require.NoError(t, err)
	require.Equal(t, u, valid, "normalised for good")
	return doc
}

// FuzzStoredDocument: an update of a document that another version wrote keeps the
// members that it doesn't know, and settles on one form.
func FuzzStoredDocument(f *testing.F) {
	f.Add([]byte(ada), 8)
	f.Add([]byte(`{"phone":{"home":[1,2.50,null]},"id":"ada","group":1,"name":"A"}`), 0)
	f.Add([]byte(`{"Id":"x"}`), -1)
	f.Fuzz(func(t *testing.T, doc []byte, group int) {
		_, decodeErr := user.Decode(doc)
		change := user.Update(user.Patch{Group: &group})
		if doc == nil {
			doc = []byte{}
		}
		updated, err := change(doc)
		require.Equal(t, decodeErr == nil, err == nil, "%v, %v", decodeErr, err)
		if err != nil {
			return
		}
		u, err := user.Decode(updated)
		require.NoError(t, err)
		require.Equal(t, group, u.Group)
		again, err := change(updated)
		require.NoError(t, err)
		require.Equal(t, string(updated), string(again))
		var before, after map[string]stdjson.RawMessage
		require.NoError(t, stdjson.Unmarshal(doc, &before))
		require.NoError(t, stdjson.Unmarshal(updated, &after))
		for _, known := range []string{"id", "name", "email", "group"} {
			delete(before, known)
			delete(after, known)
		}
		require.Equal(t, len(before), len(after))
		for name, value := range before {
			require.JSONEq(t, string(value), string(after[name]))
		}
	})
}
