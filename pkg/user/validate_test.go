package user_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/user"
)

func newValidator(t *testing.T) *user.Validator {
	t.Helper()
	v, err := user.NewValidator()
	require.NoError(t, err)
	return v
}

func whole() user.Patch {
	return user.Patch{ID: new("ada"), Name: new("Ada"), Email: new("ada@example.com"), Group: new(7)}
}

// codes maps each failing field of err to its code.
func codes(t *testing.T, err error) map[string]string {
	t.Helper()
	if err == nil {
		return map[string]string{}
	}
	var invalid *user.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.NotEmpty(t, invalid.Fields)
	found := map[string]string{}
	for _, f := range invalid.Fields {
		require.NotContains(t, found, f.Pointer, "a field is named once")
		require.Contains(t, f.Detail, "must be ")
		require.Contains(t, invalid.Error(), f.Detail)
		found[f.Pointer] = f.Code
	}
	return found
}

func TestRules(t *testing.T) {
	long := strings.Repeat("x", 64)
	domain := strings.Repeat("example.", 30) // 240 bytes
	cases := map[string]struct {
		set  func(*user.Patch)
		want string // code, empty when the value is good
	}{
		"id of 1":              {func(p *user.Patch) { p.ID = new("a") }, ""},
		"id of 64":             {func(p *user.Patch) { p.ID = new(long) }, ""},
		"id of 65":             {func(p *user.Patch) { p.ID = new(long + "x") }, user.CodeTooLong},
		"id of every kind":     {func(p *user.Patch) { p.ID = new("azAZ09_-") }, ""},
		"id empty":             {func(p *user.Patch) { p.ID = new("") }, user.CodeTooShort},
		"id with a dot":        {func(p *user.Patch) { p.ID = new("a.b") }, user.CodeBadCharacters},
		"id of full width":     {func(p *user.Patch) { p.ID = new("ａ") }, user.CodeBadCharacters},
		"id ends in line feed": {func(p *user.Patch) { p.ID = new("a\n") }, user.CodeBadCharacters},

		"name of 1":               {func(p *user.Patch) { p.Name = new("李") }, ""},
		"name of 200":             {func(p *user.Patch) { p.Name = new(strings.Repeat("😀", 200)) }, ""},
		"name of 201":             {func(p *user.Patch) { p.Name = new(strings.Repeat("😀", 201)) }, user.CodeTooLong},
		"name of 200 after NFC":   {func(p *user.Patch) { p.Name = new(strings.Repeat("e\u0301", 200)) }, ""},
		"name of 201 after NFC":   {func(p *user.Patch) { p.Name = new(strings.Repeat("\u0958", 101)) }, user.CodeTooLong},
		"name empty":              {func(p *user.Patch) { p.Name = new("") }, user.CodeBlank},
		"name blank":              {func(p *user.Patch) { p.Name = new(" \u2003\u00a0\t") }, user.CodeBlank},
		"name with spaces around": {func(p *user.Patch) { p.Name = new(" Ada ") }, ""},
		"name with NUL":           {func(p *user.Patch) { p.Name = new("A\x00") }, user.CodeControlCharacters},
		"name with tab":           {func(p *user.Patch) { p.Name = new("A\tB") }, user.CodeControlCharacters},
		"name with DEL":           {func(p *user.Patch) { p.Name = new("A\x7f") }, user.CodeControlCharacters},
		"name with C1":            {func(p *user.Patch) { p.Name = new("A\u009f") }, user.CodeControlCharacters},
		"name with joiners":       {func(p *user.Patch) { p.Name = new("نامه\u200cای") }, ""},
		"name with quotes":        {func(p *user.Patch) { p.Name = new(`O'Neil "Ned" \ <&>`) }, ""},

		"email of 254 bytes":                   {func(p *user.Patch) { p.Email = new("ab@" + domain + "example.org") }, ""},
		"email of 255 bytes":                   {func(p *user.Patch) { p.Email = new("abc@" + domain + "example.org") }, user.CodeTooLong},
		"email of 255 bytes, fewer characters": {func(p *user.Patch) { p.Email = new("é@" + domain + "exämple.org") }, user.CodeTooLong},

		"group 0":         {func(p *user.Patch) { p.Group = new(0) }, ""},
		"group largest":   {func(p *user.Patch) { p.Group = new(math.MaxInt32) }, ""},
		"group too large": {func(p *user.Patch) { p.Group = new(math.MaxInt32 + 1) }, user.CodeOutOfRange},
		"group nearest":   {func(p *user.Patch) { p.Group = new(math.MaxInt) }, user.CodeOutOfRange},
		"group negative":  {func(p *user.Patch) { p.Group = new(-1) }, user.CodeOutOfRange},
	}
	v := newValidator(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			field, _, _ := strings.Cut(name, " ")
			want := map[string]string{}
			if c.want != "" {
				want["/"+field] = c.want
			}
			p := whole()
			c.set(&p)
			_, err := v.New(p)
			require.Equal(t, want, codes(t, err))

			_, err = v.Patch(p)
			require.Equal(t, want, codes(t, err), "an update obeys the same rules")

			if field == "id" {
				require.Equal(t, c.want == "", v.ValidID(*p.ID))
			}
		})
	}
}

func TestEmails(t *testing.T) {
	good := []string{
		"ada@example.com", "a@b.co", "ADA@Example.COM", "ada.lovelace+notes@mail.example.co.uk", "o'hara@example.ie",
		"a_b-c!#$%&*/=?^`{|}~@example.com", "1@2.example", "ada@a-b.example", "ada@xn--e1afmkfd.xn--p1ai",
		"zoë@example.com", "ada@exämple.de", "用户@例え.テスト", "अ@डाटा.भारत",
		strings.Repeat("a", 64) + "@example.com", "ada@" + strings.Repeat("a", 63) + ".com",
	}
	bad := []string{
		"", " ", "ada", "ada@", "@example.com", "ada@@example.com", "ada@b@example.com", "ada.example.com",
		"ada@localhost", "ada@example..com", "ada@.example.com", "ada@example.com.", ".ada@example.com", "ada.@example.com",
		"a..b@example.com", "ada @example.com", " ada@example.com", "ada@example.com ", "ada@exam ple.com",
		"ada@example.com\n", "ada@example.com\r\nBcc: eve@example.com", "ada\x00@example.com",
		"Ada <ada@example.com>", "<ada@example.com>", "ada@example.com (Ada)", "ada@example.com,bob@example.com",
		`"ada"@example.com`, `"a b"@example.com`, `"a@b"@example.com`,
		"ada@[127.0.0.1]", "ada@127.0.0.1", "ada@exam_ple.com", "ada@exam~ple.com", "ada@-example.com", "ada@example.-x.com",
		"ada@example-.com", "ada@x.example-.com",
		"a\u00a0b@example.com", "\u200bada@example.com", "ada\u202e@example.com", "ada@exam\u00adple.com", "ada@example\u3002com",
		strings.Repeat("a", 65) + "@example.com", "ada@" + strings.Repeat("a", 64) + ".com",
	}
	v := newValidator(t)
	for _, email := range good {
		p := whole()
		p.Email = &email
		u, err := v.New(p)
		require.NoError(t, err, "%q", email)
		require.Equal(t, email, u.Email)
	}
	for _, email := range bad {
		p := whole()
		p.Email = &email
		_, err := v.New(p)
		require.Equal(t, map[string]string{"/email": user.CodeInvalidEmail}, codes(t, err), "%q", email)
	}
}

func TestNewWantsEveryField(t *testing.T) {
	_, err := newValidator(t).New(user.Patch{})
	require.Equal(t, map[string]string{
		"/id": user.CodeRequired, "/name": user.CodeRequired, "/email": user.CodeRequired, "/group": user.CodeRequired,
	}, codes(t, err))
	require.ErrorContains(t, err, "/name: is missing")
}

func TestNewNamesEachFailingFieldInOrder(t *testing.T) {
	_, err := newValidator(t).New(user.Patch{ID: new("a b"), Name: new(""), Group: new(-1)})
	var invalid *user.InvalidError
	require.ErrorAs(t, err, &invalid)
	var pointers []string
	for _, f := range invalid.Fields {
		pointers = append(pointers, f.Pointer)
	}
	require.Equal(t, []string{"/id", "/name", "/email", "/group"}, pointers)
}

func TestPatchWantsTheID(t *testing.T) {
	v := newValidator(t)
	_, err := v.Patch(user.Patch{Group: new(-1)})
	require.Equal(t, map[string]string{"/id": user.CodeRequired, "/group": user.CodeOutOfRange}, codes(t, err))

	only := user.Patch{ID: new("ada")}
	got, err := v.Patch(only)
	require.NoError(t, err)
	require.Equal(t, only, got)
}

func TestTextIsNormalisedAndTheArgumentKept(t *testing.T) {
	v := newValidator(t)
	p := whole()
	p.Name, p.Email = new("Zoe\u0308"), new("zoe\u0308@example.com")

	u, err := v.New(p)
	require.NoError(t, err)
	require.Equal(t, "Zo\u00eb", u.Name)
	require.Equal(t, "zo\u00eb@example.com", u.Email)

	got, err := v.Patch(p)
	require.NoError(t, err)
	require.Equal(t, "Zo\u00eb", *got.Name)
	require.Equal(t, "zo\u00eb@example.com", *got.Email)

	require.Equal(t, "Zoe\u0308", *p.Name)
	require.Equal(t, "zoe\u0308@example.com", *p.Email)
}
