package people

import (
	"math"
	"slices"
	"strings"
)

// odd returns the rows that every run starts with: what is rare, valid, and
// easily got wrong, in names, ids, addresses and groups. A code point is
// written as an escape where a reader could not tell it from another.
func odd() []Person { return slices.Concat(oddValues(), oddSpellings()) }

func oddValues() []Person {
	longest := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." +
		strings.Repeat("d", 49) + ".example.com" // 254 bytes
	return []Person{
		// Names that programs take for something else.
		{"null", "Null", "null@example.com", 0},
		{"undefined", "null", "undefined@example.com", 1},
		{"NaN", "NaN", "nan@example.com", math.MaxInt32},
		{"true", "True", "true@example.com", math.MaxInt32 - 1},
		{"__proto__", "Robert'); DROP TABLE users;--", "bobby.tables@example.com", 255},
		{"constructor", "X Æ A-Xii", "x@example.com", 256},
		{"0", "1e3", "0@example.com", 65535},
		{"-1", "-1", "-1@example.com", 65536},
		{"1e3", "${USER} %s {{.Name}} <b>&amp;</b>", "1e3@example.com", 1 << 24},

		// Quoting, in CSV and JSON.
		{"quoting-1", "Smith, Jr.", "smith.jr@example.com", 3},
		{"quoting-2", `Dwayne "The Rock" Johnson`, "the+rock@example.com", 3},
		{"quoting-3", `"`, "quote@example.com", 3},
		{"quoting-4", `", "`, "quotes@example.com", 3},
		{"quoting-5", `back\slash\u0041/`, "back@example.com", 3},
		{"quoting-6", "line\u2028and\u2029paragraph", "separators@example.com", 3},

		// Short and long.
		{"A", "X", "a@example.com", 4},
		{"z", "Ó", "z@example.com", 4},
		{"9", "李", "9@example.com", 4},
		{"_", "\U00020BB7", "_@example.com", 4},
		{"-", "ʻ", "-@example.com", 4},
		{strings.Repeat("x", 64), strings.Repeat("\U00020BB7", 200), longest, 1 << 30},
		{strings.Repeat("-_", 32), strings.Repeat("e\u0301", 200), "decomposed@example.com", 1<<30 - 1}, // 200 only in NFC
		{"picasso", "Pablo Diego José Francisco de Paula Juan Nepomuceno María de los Remedios " +
			"Cipriano de la Santísima Trinidad Ruiz y Picasso", "picasso@example.com", 5},
		{"wolfe", "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Sr.", "wolfe@example.com", 5},
		{"keihana", "Janice Keihanaikukauakahihuliheekahaunaele", "k@example.com", 5},

		// Addresses.
		{"email-symbols", "Ada", "!#$%&'*+-/=?^_`{|}~@example.com", 10},
		{"email-case", "Ada", "Ada.LOVELACE@Example.ORG", 10},
		{"email-numbers", "Ada", "1@2.3.example", 10},
	}
}

func oddSpellings() []Person {
	return []Person{
		// Letters that look like punctuation, and the other way round.
		{"okina", "Ka\u02BBiulani", "kaiulani@example.com", 6},
		{"typographic", "O\u2019Brien", "o'brien@example.com", 6},
		{"prefix-apostrophe", "Gerard 't Hooft", "g.'t.hooft@example.com", 6},
		{"particles", "Anna van der Berg-de la Cruz", "anna@example.com", 6},
		{"no-break-space", "Jean\u00A0Marie", "jean@example.com", 6},
		{"dotted-i", "İIıi", "i@example.com", 6},
		{"turkish", "Işıl Yılmaz", "isil@example.com", 6},
		{"ligature", "So\uFB01a \uFB03", "sofia@example.com", 6}, // NFC keeps ligatures
		{"digraph", "\u01C5ur\u0111ica \u01C8ubi\u0107", "dz@example.com", 6},
		{"middle-dot", "Gal·la", "gal.la@example.com", 6},

		// What changes under NFC.
		{"nfc-umlaut", "Zoe\u0308 Mu\u0308ller", "zoe@example.com", 7},
		{"nfc-angstrom", "\u212Bsa", "asa@example.com", 7},
		{"nfc-ohm", "\u2126νάσης", "onassis@example.com", 7},
		{"nfc-greek-oxia", "Μαρ\u1F77α", "maria@example.com", 7},
		{"nfc-vietnamese", "Nguye\u0302\u0303n Thi\u0323 Hu\u031Bo\u031Bng", "huong@example.com", 7},
		{"nfc-order", "e\u0302\u0323 e\u0323\u0302", "order@example.com", 7}, // two spellings of one letter
		{"nfc-jamo", "\u1100\u1175\u11B7 \u1106\u1175\u11AB\u110C\u116E\u11AB", "kim@example.com", 7},
		{"nfc-devanagari", "\u0958\u093E\u0938\u093F\u092E", "qasim@example.com", 7}, // NFC decomposes it
		{"nfc-compatibility", "\uFA19\u7530", "kanda@example.com", 7},
		{"nfc-hebrew", "ש\u05BC\u05C1ר\u05B8ה", "sarah@example.com", 7},
		{"no-nfc-yoruba", "Ọ\u0300ṣ\u0301un", "osun@example.com", 7}, // a mark that has no composed form

		// Ideographs outside the basic plane, and look-alikes that differ.
		{"yoshida-1", "\U00020BB7田", "yoshida@example.com", 8},
		{"yoshida-2", "吉田", "yoshida@example.org", 8},
		{"yamazaki", "山\uFA11", "yamazaki@example.com", 8}, // U+FA11 stays as it is
		{"hashimoto", "\U000238FD本", "hashimoto@example.com", 8},
		{"watanabe", "渡邉\U000E0100", "watanabe@example.com", 8}, // a variation selector

		// Joiners and writing direction.
		{"persian", "علی\u200Cرضا", "alireza@example.com", 9},
		{"sinhala", "ශ\u0DCA\u200Dරී", "sri@example.com", 9},
		{"both-directions", "דוד Smith محمد", "david@example.com", 9},
	}
}
