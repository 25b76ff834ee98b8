package people_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/dyad-db/dyad/pkg/user"
	"github.com/dyad-db/dyad/tests/people"
)

const many = 10000

func TestEveryRowIsAValidUser(t *testing.T) {
	validator, err := user.NewValidator()
	require.NoError(t, err)
	for p := range people.Generate(1, many) {
		u, err := validator.New(user.Patch{ID: &p.ID, Name: &p.Name, Email: &p.Email, Group: &p.Group})
		require.NoError(t, err, "%+q", p)
		require.Equal(t, p.Stored(), people.Person(u))
		require.True(t, utf8.ValidString(p.Name), "%+q", p)
		require.False(t, strings.ContainsFunc(p.Email, func(r rune) bool { return r > unicode.MaxASCII }), "%+q", p)
	}
}

func TestIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for p := range people.Generate(7, 30000) {
		require.False(t, seen[p.ID], p.ID)
		seen[p.ID] = true
	}
	assert.Len(t, seen, 30000)
}

func TestSameSeedSameRows(t *testing.T) {
	rows := slices.Collect(people.Generate(3, 2000))
	assert.Equal(t, rows, slices.Collect(people.Generate(3, 2000)))
	assert.Equal(t, rows[:500], slices.Collect(people.Generate(3, 500)))
	assert.Equal(t, rows[:5], slices.Collect(people.Generate(4, 5)), "the odd rows come first, whatever the seed")
	assert.NotEqual(t, rows, slices.Collect(people.Generate(4, 2000)))
	assert.Empty(t, slices.Collect(people.Generate(3, 0)))

	// So that a change of the rows is a decision.
	assert.Equal(t, people.Person{ID: "78f69ee7fb", Name: "عائشة القاضي", Email: "user_498+498@example.net", Group: 7}, rows[1999])
}

// What the rows are for: each of these must be there in a modest file.
func TestVariety(t *testing.T) {
	rows := slices.Collect(people.Generate(1, many))
	count := func(is func(p people.Person) bool) (n int) {
		for _, p := range rows {
			if is(p) {
				n++
			}
		}
		return n
	}
	named := func(in string) func(people.Person) bool {
		return func(p people.Person) bool { return strings.Contains(p.Name, in) }
	}
	for title, is := range map[string]func(people.Person) bool{
		"comma":        named(", Jr."),
		"double quote": named(`"`),
		"apostrophe":   named("O'"),
		"typographic":  named("’"),
		"ʻokina":       named("ʻ"),
		"hyphen":       named("-"),
		"supplementary": func(p people.Person) bool {
			return strings.ContainsFunc(p.Name, func(r rune) bool { return r > 0xFFFF })
		},
		"not NFC": func(p people.Person) bool { return !norm.NFC.IsNormalString(p.Name) },
		"combining mark": func(p people.Person) bool {
			return strings.ContainsFunc(p.Stored().Name, func(r rune) bool { return unicode.Is(unicode.Mn, r) })
		},
		"joiner":          named("\u200c"),
		"group 0":         func(p people.Person) bool { return p.Group == 0 },
		"highest group":   func(p people.Person) bool { return p.Group == math.MaxInt32 },
		"group over 2^30": func(p people.Person) bool { return p.Group > 1<<30 },
		"UUID":            func(p people.Person) bool { return len(p.ID) == 36 && p.ID[14] == '7' },
		"short id":        func(p people.Person) bool { return len(p.ID) == 10 },
		"slug":            func(p people.Person) bool { return strings.Contains(p.ID, "_") },
	} {
		assert.Greater(t, count(is), 20, title)
	}
	for title, is := range map[string]func(people.Person) bool{
		"Null":            func(p people.Person) bool { return p.Name == "Null" },
		"one letter":      func(p people.Person) bool { return p.Name == "X" },
		"200 characters":  func(p people.Person) bool { return utf8.RuneCountInString(p.Stored().Name) == 200 },
		"800 bytes":       func(p people.Person) bool { return len(p.Name) == 800 },
		"64-character id": func(p people.Person) bool { return len(p.ID) == 64 },
		"longest email":   func(p people.Person) bool { return len(p.Email) == 254 },
		"longer in NFC": func(p people.Person) bool {
			return utf8.RuneCountInString(p.Stored().Name) > utf8.RuneCountInString(p.Name)
		},
	} {
		assert.NotZero(t, count(is), title)
	}
	for _, script := range []string{
		"Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Gurmukhi", "Tamil", "Telugu",
		"Sinhala", "Thai", "Khmer", "Myanmar", "Georgian", "Armenian", "Ethiopic", "Han", "Hiragana", "Katakana", "Hangul",
	} {
		in := func(r rune) bool { return unicode.Is(unicode.Scripts[script], r) }
		assert.Greater(t, count(func(p people.Person) bool { return strings.ContainsFunc(p.Name, in) }), 15, script)
	}
}

func TestStoredIsNFC(t *testing.T) {
	p := people.Person{ID: "a", Name: "Zoe\u0308", Email: "z@example.com", Group: 3}
	assert.Equal(t, people.Person{ID: "a", Name: "Zoë", Email: "z@example.com", Group: 3}, p.Stored())
}
