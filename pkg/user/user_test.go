package user_test

import (
	"bytes"
	stdjson "encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/user"
)

const ada = `{"id":"ada","name":"Ada Lovelace","email":"ada@example.com","group":7}`

func TestEncodeIsCanonical(t *testing.T) {
	doc, err := user.Encode(user.User{ID: "o-1", Name: "Zoë <O'Hara> & \"Söhne\" \\ \u2028 名前 😀", Email: "zoë+x@例え.jp", Group: 2147483647})
	require.NoError(t, err)
	require.Equal(t, `{"id":"o-1","name":"Zoë <O'Hara> & \"Söhne\" \\ `+"\u2028"+` 名前 😀","email":"zoë+x@例え.jp","group":2147483647}`, string(doc))
}

func TestEncodeRefusesTextThatIsNotUTF8(t *testing.T) {
	_, err := user.Encode(user.User{ID: "ada", Name: "\xff"})
	require.Error(t, err)
}

func TestDecodeRefusesWhatIsNoUser(t *testing.T) {
	for _, doc := range []string{"", "{", "[]", `{"id":7}`, `{"group":1.5}`, `{"id":"a","id":"b"}`} {
		_, err := user.Decode([]byte(doc))
		require.ErrorContains(t, err, "the stored document is not a user", doc)
	}
}

func TestCreate(t *testing.T) {
	create := user.Create(user.User{ID: "ada", Name: "Ada Lovelace", Email: "ada@example.com", Group: 7})
	doc, err := create(nil)
	require.NoError(t, err)
	require.Equal(t, ada, string(doc))

	_, err = create(doc)
	require.ErrorIs(t, err, user.ErrExists)

	again, err := create(nil)
	require.NoError(t, err)
	require.Equal(t, doc, again)
}

func TestUpdate(t *testing.T) {
	cases := map[string]struct {
		patch user.Patch
		want  string
	}{
		"nothing":  {user.Patch{}, ada},
		"the same": {user.Patch{Name: new("Ada Lovelace"), Group: new(7)}, ada},
		"name":     {user.Patch{Name: new("Ada King")}, `{"id":"ada","name":"Ada King","email":"ada@example.com","group":7}`},
		"email":    {user.Patch{Email: new("a@b.org")}, `{"id":"ada","name":"Ada Lovelace","email":"a@b.org","group":7}`},
		"group 0":  {user.Patch{Group: new(0)}, `{"id":"ada","name":"Ada Lovelace","email":"ada@example.com","group":0}`},
		"all": {
			user.Patch{ID: new("ada"), Name: new("A"), Email: new("a@b.org"), Group: new(1)},
			`{"id":"ada","name":"A","email":"a@b.org","group":1}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			doc, err := user.Update(c.patch)([]byte(ada))
			require.NoError(t, err)
			require.Equal(t, c.want, string(doc))
		})
	}
}

func TestUpdateKeepsMembersItDoesNotKnow(t *testing.T) {
	old := `{"id":"ada","name":"Ada","email":"ada@example.com","group":7,"tags":["x",{"y":1}],"since":1815}`
	doc, err := user.Update(user.Patch{Group: new(8)})([]byte(old))
	require.NoError(t, err)
	require.Equal(t, `{"id":"ada","name":"Ada","email":"ada@example.com","group":8,"tags":["x",{"y":1}],"since":1815}`, string(doc))
}

func TestUpdateOfNobodyAndOfJunk(t *testing.T) {
	_, err := user.Update(user.Patch{Group: new(8)})(nil)
	require.ErrorIs(t, err, user.ErrNotFound)

	_, err = user.Update(user.Patch{Group: new(8)})([]byte("junk"))
	require.ErrorContains(t, err, "the stored document is not a user")
}

func TestDelete(t *testing.T) {
	doc, err := user.Delete()([]byte(ada))
	require.NoError(t, err)
	require.Nil(t, doc)

	_, err = user.Delete()(nil)
	require.ErrorIs(t, err, user.ErrNotFound)
}

// anyUser draws users far beyond the rules: the stored form must hold any text.
func anyUser(t *rapid.T) user.User {
	return user.User{
		ID:    rapid.String().Draw(t, "id"),
		Name:  rapid.String().Draw(t, "name"),
		Email: rapid.String().Draw(t, "email"),
		Group: rapid.Int().Draw(t, "group"),
	}
}

func anyPatch(t *rapid.T) user.Patch {
	return user.Patch{
		Name:  rapid.Ptr(rapid.String(), true).Draw(t, "new name"),
		Email: rapid.Ptr(rapid.String(), true).Draw(t, "new email"),
		Group: rapid.Ptr(rapid.Int(), true).Draw(t, "new group"),
	}
}

func encode(t require.TestingT, u user.User) []byte {
	doc, err := user.Encode(u)
	require.NoError(t, err)
	return doc
}

// patched is the obviously right merge.
func patched(u user.User, p user.Patch) user.User {
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Email != nil {
		u.Email = *p.Email
	}
	if p.Group != nil {
		u.Group = *p.Group
	}
	return u
}

func TestPropertyStoredFormDecodesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyUser(t)
		doc := encode(t, u)

		back, err := user.Decode(doc)
		require.NoError(t, err)
		require.Equal(t, u, back)

		var other user.User // an independent reader agrees
		require.NoError(t, stdjson.Unmarshal(doc, &other))
		require.Equal(t, u, other)
	})
}

func TestPropertyUpdateMerges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, p := anyUser(t), anyPatch(t)
		doc, err := user.Update(p)(encode(t, u))
		require.NoError(t, err)
		require.Equal(t, string(encode(t, patched(u, p))), string(doc))
	})
}

func TestPropertyUpdatesOfDifferentFieldsBothSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, p := anyUser(t), anyPatch(t)
		first, second := p, p
		for i, drop := range []*user.Patch{&first, &second} {
			if rapid.Bool().Draw(t, "name goes to the first") == (i == 0) {
				drop.Name = nil
			}
		}
		first.Email, second.Group = nil, nil
		oneWay := apply(t, encode(t, u), user.Update(first), user.Update(second))
		otherWay := apply(t, encode(t, u), user.Update(second), user.Update(first))
		require.Equal(t, string(oneWay), string(otherWay))
	})
}

func apply(t require.TestingT, doc []byte, changes ...func([]byte) ([]byte, error)) []byte {
	for _, change := range changes {
		var err error
		doc, err = change(doc)
		require.NoError(t, err)
	}
	return doc
}

func TestPropertyChangesAreRepeatableAndLeaveTheirArgument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := map[string]func([]byte) ([]byte, error){
			"create": user.Create(anyUser(t)), "update": user.Update(anyPatch(t)), "delete": user.Delete(),
		}
		change := changes[rapid.SampledFrom([]string{"create", "update", "delete"}).Draw(t, "change")]
		var old []byte
		if rapid.Bool().Draw(t, "exists") {
			old = encode(t, anyUser(t))
		}
		before := bytes.Clone(old)

		first, firstErr := change(old)
		require.Equal(t, before, old)
		for i := range first { // whoever gets a result may not reach the argument, or the next result, through it
			first[i] ^= 0xff
		}
		require.Equal(t, before, old)
		for i := range first {
			first[i] ^= 0xff
		}
		second, secondErr := change(old)
		require.Equal(t, firstErr, secondErr)
		require.Equal(t, first, second)
	})
}
