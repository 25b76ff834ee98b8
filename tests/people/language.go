package people

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

//go:embed names.txt
var names string

// language is how one language names people.
type language struct {
	name          string
	given, family []string
	familyFirst   bool
	unspaced      bool // no space between family and given name
}

func (l language) between() string {
	if l.unspaced {
		return ""
	}
	return " "
}

// languages reads names.txt. A mistake in it is a panic: it is part of the
// program.
func languages() []language {
	var all []language
	for line := range strings.Lines(names) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, ": ")
		switch {
		case line == "" || line[0] == '#':
		case !found:
			panic(fmt.Sprintf("names.txt: %q is neither a language nor a list of names", line))
		case key == "given":
			all[len(all)-1].given = strings.Split(value, ", ")
		case key == "family":
			all[len(all)-1].family = strings.Split(value, ", ")
		default:
			if !slices.Contains([]string{"given family", "family given", "familygiven"}, value) {
				panic(fmt.Sprintf("names.txt: %s puts a name together as %q, which nothing does", key, value))
			}
			all = append(all, language{name: key, familyFirst: strings.HasPrefix(value, "family"), unspaced: value == "familygiven"})
		}
	}
	return all
}

// ascii returns what of a name an ASCII keyboard would type, in lower case: a-z,
// apostrophes, hyphens and single spaces. Of other scripts nothing is left.
func ascii(name string) string {
	special := strings.NewReplacer("ł", "l", "ø", "o", "ß", "ss", "đ", "d", "æ", "ae", "œ", "oe",
		"ı", "i", "þ", "th", "ð", "d", "ə", "e", "’", "'", "ʻ", "")
	decomposed := norm.NFD.String(special.Replace(strings.ToLower(name)))
	kept := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '\'' || r == '-' || r == ' ' {
			return r
		}
		return -1
	}, decomposed)
	words := slices.DeleteFunc(strings.Fields(kept), func(w string) bool { return !strings.ContainsFunc(w, unicode.IsLetter) })
	return strings.Join(words, " ")
}
