package user_test

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/user"
)

func TestDecodePatchAccepts(t *testing.T) {
	cases := map[string]struct {
		body string
		want user.Patch
	}{
		"nothing":                          {` {} `, user.Patch{}},
		"whole":                            {ada, user.Patch{ID: new("ada"), Name: new("Ada Lovelace"), Email: new("ada@example.com"), Group: new(7)}},
		"any order":                        {`{"group":7,"id":"ada"}`, user.Patch{ID: new("ada"), Group: new(7)}},
		"white space":                      {"\r\n{ \"group\" :\t7 }\n", user.Patch{Group: new(7)}},
		"escapes":                          {`{"name":"\u00e9\ud83d\ude00\/\"\\\u2028"}`, user.Patch{Name: new("é😀/\"\\\u2028")}},
		"escaped name":                     {`{"\u0067roup":7}`, user.Patch{Group: new(7)}},
		"empty text":                       {`{"id":"","name":""}`, user.Patch{ID: new(""), Name: new("")}},
		"control, to be refused as a rule": {`{"name":"\u0000"}`, user.Patch{Name: new("\x00")}},
		"zero":                             {`{"group":0}`, user.Patch{Group: new(0)}},
		"negative":                         {`{"group":-1}`, user.Patch{Group: new(-1)}},
		"exact":                            {`{"group":9007199254740993}`, user.Patch{Group: new(9007199254740993)}},
		"beyond int":                       {`{"group":1000000000000000000000000000000}`, user.Patch{Group: new(math.MaxInt)}},
		"far below int":                    {`{"group":-1000000000000000000000000000000}`, user.Patch{Group: new(math.MinInt)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := user.DecodePatch([]byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestDecodePatchRefuses(t *testing.T) {
	deep := strings.Repeat("[", 60000)
	cases := []struct{ body, code, pointer, detail string }{
		{``, user.CodeEmptyBody, "", "is empty"},
		{" \n", user.CodeEmptyBody, "", "is empty"},
		{`null`, user.CodeNotAnObject, "", "not null"},
		{`[{}]`, user.CodeNotAnObject, "", "not an array"},
		{`7`, user.CodeNotAnObject, "", "not a number"},
		{deep, user.CodeNotAnObject, "", "not an array"},
		{`}`, user.CodeSyntax, "", "byte 0"},
		{`{`, user.CodeSyntax, "", "too early, at byte 1"},
		{`{"group":7`, user.CodeSyntax, "", "too early, at byte 10"},
		{`{"name":"Ad`, user.CodeSyntax, "/name", "too early, at byte 11"},
		{`{"group":7,}`, user.CodeSyntax, "", "byte 10"},
		{`{"group":07}`, user.CodeSyntax, "", "byte 10"},
		{`{"group":}`, user.CodeSyntax, "/group", "byte 9"},
		{`{"name":]}`, user.CodeSyntax, "/name", "byte 8"},
		{`{"group":+7}`, user.CodeSyntax, "/group", "byte 9"},
		{`{"group":7.}`, user.CodeSyntax, "/group", "byte 11"},
		{`{7:7}`, user.CodeSyntax, "", "must be a string"},
		{`{"name":"\ud800"}`, user.CodeSyntax, "/name", "surrogate"},
		{"\ufeff{}", user.CodeSyntax, "", "byte 0"},
		{"{\"name\":\"a\xff\"}", user.CodeInvalidUTF8, "/name", "byte 10 is not valid UTF-8"},
		{"{\"na\xffme\":1}", user.CodeInvalidUTF8, "", "byte 4 is not valid UTF-8"},
		{`{"group":7} x`, user.CodeTrailingData, "", "byte 12"},
		{`{}{}`, user.CodeTrailingData, "", "byte 2"},
		{"{}\x00", user.CodeTrailingData, "", "byte 2"},
		{`{"phone":1}`, user.CodeUnknownField, "/phone", "id, name, email and group"},
		{`{"Name":"A"}`, user.CodeUnknownField, "/Name", `write "name"`},
		{`{"a/b~":1}`, user.CodeUnknownField, "/a~1b~0", "id, name, email and group"},
		{`{"` + strings.Repeat("x", 65) + `":1}`, user.CodeUnknownField, "", "ends at byte 68"},
		{`{"x":` + deep, user.CodeUnknownField, "/x", "unknown"},
		{`{"group":1,"group":1}`, user.CodeDuplicateField, "/group", "more than once"},
		{`{"id":"a","\u0069d":"a"}`, user.CodeDuplicateField, "/id", "more than once"},
		{`{"id":null}`, user.CodeNull, "/id", "not be null"},
		{`{"id":1}`, user.CodeWrongType, "/id", "a string, not a number"},
		{`{"name":false}`, user.CodeWrongType, "/name", "a string, not a boolean"},
		{`{"email":{}}`, user.CodeWrongType, "/email", "a string, not an object"},
		{`{"name":` + deep, user.CodeWrongType, "/name", "a string, not an array"},
		{`{"group":"1"}`, user.CodeWrongType, "/group", "a number, not a string"},
		{`{"group":1.0}`, user.CodeNotAnInteger, "/group", "without fraction"},
		{`{"group":1e2}`, user.CodeNotAnInteger, "/group", "without fraction"},
		{`{"group":-0}`, user.CodeNotAnInteger, "/group", "negative zero"},
		{`{"group":1e1000000000}`, user.CodeNotAnInteger, "/group", "exponent"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%.40q", c.body), func(t *testing.T) {
			got, err := user.DecodePatch([]byte(c.body))
			require.Zero(t, got)
			var malformed *user.MalformedError
			require.ErrorAs(t, err, &malformed)
			require.Equal(t, c.code, malformed.Code)
			require.Equal(t, c.pointer, malformed.Pointer)
			require.Contains(t, malformed.Detail, c.detail)
			require.Less(t, len(malformed.Error()), 300)
		})
	}
}

// FuzzDecodePatch holds the decoder against the standard library's, which takes
// more than ours but must agree on what ours took.
func FuzzDecodePatch(f *testing.F) {
	for _, seed := range []string{
		ada, ` {"group":-1} `, `{"name":"\ud83d\ude00\u0000\/"}`, `{"group":1000000000000000000000000000000}`,
		``, `[]`, `{"group":1.0}`, `{"group":-0}`, `{"id":null}`, `{"Id":"a"}`, `{"id":"a","\u0069d":"b"}`, `{} {}`,
		"{\"name\":\"\xff\"}", "\ufeff{}", `{"name":[[[[`, `{"name":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		patch, err := user.DecodePatch(body)
		if err != nil {
			var malformed *user.MalformedError
			if !errors.As(err, &malformed) || malformed.Code == "" || malformed.Detail == "" {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		var want map[string]any
		decoder := stdjson.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&want))
		got := map[string]any{}
		for name, text := range map[string]*string{"id": patch.ID, "name": patch.Name, "email": patch.Email} {
			if text != nil {
				got[name] = *text
			}
		}
		if patch.Group != nil {
			got["group"] = stdjson.Number(fmt.Sprint(*patch.Group))
			if *patch.Group == math.MaxInt || *patch.Group == math.MinInt {
				want["group"] = got["group"] // the nearest int
			}
		}
		require.Equal(t, want, got)
	})
}
