package people

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/text/unicode/norm"
)

func TestLanguages(t *testing.T) {
	all := languages()
	assert.GreaterOrEqual(t, len(all), 50)
	seen := map[string]bool{}
	for _, l := range all {
		assert.False(t, seen[l.name], l.name)
		seen[l.name] = true
		for _, list := range [][]string{l.given, l.family} {
			distinct := map[string]bool{}
			for _, n := range list {
				assert.NotEmpty(t, n, l.name)
				distinct[n] = true
			}
			assert.Len(t, distinct, 20, l.name)
		}
	}
	assert.True(t, norm.NFC.IsNormalString(names))
}

func TestASCII(t *testing.T) {
	for name, want := range map[string]string{
		"Łukasz Ødegård":    "lukasz odegard",
		"Þór Weiß-Æ":        "thor weiss-ae",
		"O’Brien Kaʻiulani": "o'brien kaiulani",
		"Nguyễn Đức Işık":   "nguyen duc isik",
		"王 伟":               "",
		"- ' 𠮷田":            "",
	} {
		assert.Equal(t, want, ascii(name), name)
	}
}
