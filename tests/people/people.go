// Package people makes user rows as they come in real life: names of people
// from more than fifty languages, with accents, apostrophes, hyphens and
// non-Latin scripts, and every oddity that a name, an id, an e-mail address or
// a group may have and still be valid.
//
// The names are common given and family names of each language, as national
// statistics offices list them; the selection in names.txt is our own, and the
// pairings are random, so that no row is about anyone. E-mail addresses are
// under domains reserved for examples.
//
// Invariants:
//   - The same seed makes the same rows, always and everywhere; the first n of
//     a longer run are the same as a run of n.
//   - Ids are unique within a run. The first rows are the odd cases; they are
//     the same for every seed.
//   - Every row is a valid user. Names are not all in Unicode normal form C, on
//     purpose: what a service must answer is Person.Stored.
package people

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Person is one row.
type Person struct {
	ID    string // 1 to 64 of A-Z a-z 0-9 _ -
	Name  string // 1 to 200 characters once in NFC, which it need not be
	Email string // ASCII, at most 254 bytes
	Group int    // 0 to 2147483647
}

// Stored returns p as a service must answer it: the name in NFC.
func (p Person) Stored() Person {
	p.Name = norm.NFC.String(p.Name)
	return p
}

// Generate yields n rows.
func Generate(seed uint64, n int) iter.Seq[Person] {
	return func(yield func(Person) bool) {
		g := generator{rng: rand.New(rand.NewPCG(seed, 0)), languages: languages()}
		for i, p := range odd() {
			if i >= n || !yield(p) {
				return
			}
		}
		for i := len(odd()); i < n; i++ {
			if !yield(g.person(i)) {
				return
			}
		}
	}
}

type generator struct {
	rng       *rand.Rand
	languages []language
}

// person makes row i. Every draw comes from rng, in a fixed order.
func (g *generator) person(i int) Person {
	l := g.languages[g.rng.IntN(len(g.languages))]
	given, family := pick(g.rng, l.given), pick(g.rng, l.family)
	words := strings.FieldsFunc(ascii(given+" "+family), func(r rune) bool { return r == ' ' || r == '-' })
	return Person{
		Name:  g.name(l, given, family),
		ID:    g.id(i, words),
		Email: g.email(words),
		Group: g.group(),
	}
}

// name puts a full name together; a few rows get a second given name, a suffix
// or a nickname, and a few are decomposed, as some keyboards and files have it.
func (g *generator) name(l language, given, family string) string {
	switch draw := g.rng.IntN(100); {
	case draw < 8:
		given += l.between() + pick(g.rng, l.given)
	case draw < 10:
		given += ` "` + pick(g.rng, l.given) + `"`
	case draw < 12:
		family += ", Jr."
	case draw < 15:
		family += "-" + pick(g.rng, l.family)
	}
	switch draw := g.rng.IntN(100); {
	case draw < 4:
		given, family = norm.NFD.String(given), norm.NFD.String(family)
	case draw < 6: // composed here, decomposed there
		given = norm.NFD.String(given)
	}
	if l.familyFirst {
		return family + l.between() + given
	}
	return given + l.between() + family
}

// id makes an id that no other row has: each form holds i, and the forms differ
// from one another (36 characters with hyphens, 10 digits, one underscore).
func (g *generator) id(i int, words []string) string {
	a, b := g.rng.Uint64(), g.rng.Uint64()
	switch g.rng.IntN(3) {
	case 0: // laid out as a UUIDv7, one per millisecond since January 2024
		milliseconds := uint64(1704067200000+i) & (1<<48 - 1)
		return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x",
			milliseconds>>16, milliseconds&0xffff, a&0xfff, 0x8000|b>>50, b&(1<<48-1))
	case 1: // an odd factor permutes the 40-bit numbers
		return fmt.Sprintf("%010x", uint64(i)*0x9e3779b97f4a7c15&(1<<40-1))
	}
	slug := strings.ReplaceAll(strings.Join(words, "-"), "'", "")
	if slug == "" {
		slug = "user"
	}
	if g.rng.IntN(4) == 0 {
		slug = strings.ToUpper(slug)
	}
	return slug[:min(len(slug), 48)] + "_" + strconv.FormatInt(int64(i), 36)
}

// email makes an address of the kinds people have.
func (g *generator) email(words []string) string {
	number := strconv.Itoa(g.rng.IntN(2000))
	first, last := "user", number
	if len(words) > 0 {
		first, last = words[0], words[len(words)-1]
	}
	local := pick(g.rng, []string{
		first + "." + last, first + last + number, first + "_" + last + "+" + number,
		first[:1] + "." + last, last + "-" + number, strings.ToUpper(first) + "." + last,
	})
	return local + "@" + pick(g.rng, []string{
		"example.com", "example.org", "example.net", "mail.example.com", "students.example.edu",
		"post.uni-koeln.example", "xn--mnchen-3ya.example", "EXAMPLE.COM", "a.b.c.example",
	})
}

// group draws over the whole range, near its ends too.
func (g *generator) group() int {
	switch draw := g.rng.IntN(100); {
	case draw < 40:
		return g.rng.IntN(100)
	case draw < 70: // every size of number alike
		return int(g.rng.Uint64N(1 << (1 + g.rng.Uint64N(31))))
	case draw < 96:
		return int(g.rng.Uint64N(math.MaxInt32 + 1))
	}
	return pick(g.rng, []int{0, 1, math.MaxInt32 - 1, math.MaxInt32})
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
