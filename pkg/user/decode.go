package user

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxEchoedName bounds how much of an unknown field's name a reply repeats, in
// bytes.
const maxEchoedName = 64

// DecodePatch reads a request body: one JSON object in UTF-8 whose fields are
// id, name, email (strings) and group (an integer), each at most once. Any
// other body is refused with a *MalformedError.
//
// An integer is digits with an optional minus sign: 1.0, 1e2 and -0 are of the
// wrong type, as their exact form could not be kept. One beyond the range of an
// int is well-formed: it becomes the nearest int, which no rule admits.
//
// It looks at a value's kind before it reads the value, so that nesting is
// refused at its first bracket, whatever its depth.
func DecodePatch(body []byte) (Patch, error) {
	d := bodyDecoder{body: body, tokens: jsontext.NewDecoder(bytes.NewBuffer(body))}
	var p Patch
	if err := d.open(); err != nil {
		return Patch{}, err
	}
	for d.tokens.PeekKind() != jsontext.KindEndObject {
		if err := d.field(&p); err != nil {
			return Patch{}, err
		}
	}
	if err := d.close(); err != nil {
		return Patch{}, err
	}
	return p, nil
}

// bodyDecoder walks the tokens of one body. Its methods return *MalformedError
// only.
type bodyDecoder struct {
	body   []byte
	tokens *jsontext.Decoder
}

func (d *bodyDecoder) open() error {
	kind := d.tokens.PeekKind()
	if kind != jsontext.KindBeginObject && beginsValue(kind) {
		return malformed("", CodeNotAnObject, "the body must be a JSON object, not "+kindName(kind))
	}
	_, err := d.tokens.ReadToken()
	if errors.Is(err, io.EOF) {
		return malformed("", CodeEmptyBody, "the body is empty; send a JSON object")
	}
	return d.syntax("", err)
}

func (d *bodyDecoder) field(p *Patch) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return d.syntax("", err)
	}
	switch name := token.String(); name {
	case "id":
		p.ID, err = d.text(name)
	case "name":
		p.Name, err = d.text(name)
	case "email":
		p.Email, err = d.text(name)
	case "group":
		p.Group, err = d.integer(name)
	default:
		err = d.unknown(name)
	}
	return err
}

func (d *bodyDecoder) text(name string) (*string, error) {
	token, err := d.value(name, jsontext.KindString)
	if err != nil {
		return nil, err
	}
	s := token.String()
	return &s, nil
}

func (d *bodyDecoder) integer(name string) (*int, error) {
	token, err := d.value(name, jsontext.KindNumber)
	if err != nil {
		return nil, err
	}
	digits := token.String()
	n, err := strconv.Atoi(digits) // the nearest int when out of range
	if digits == "-0" || errors.Is(err, strconv.ErrSyntax) {
		return nil, malformed("/"+name, CodeNotAnInteger,
			"must be an integer, written without fraction, exponent or negative zero")
	}
	return &n, nil
}

// value reads the value of the field called name if it is of kind want.
func (d *bodyDecoder) value(name string, want jsontext.Kind) (jsontext.Token, error) {
	kind := d.tokens.PeekKind()
	switch {
	case kind == want || !beginsValue(kind):
		token, err := d.tokens.ReadToken()
		return token, d.syntax("/"+name, err)
	case kind == jsontext.KindNull:
		return jsontext.Token{}, malformed("/"+name, CodeNull, "must not be null; leave the field out instead")
	default:
		return jsontext.Token{}, malformed("/"+name, CodeWrongType,
			fmt.Sprintf("must be %s, not %s", kindName(want), kindName(kind)))
	}
}

func (d *bodyDecoder) close() error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return d.syntax("", err)
	}
	rest := bytes.TrimLeft(d.body[d.tokens.InputOffset():], " \t\r\n")
	if len(rest) > 0 {
		return malformed("", CodeTrailingData,
			fmt.Sprintf("there is more at byte %d, after the end of the object", len(d.body)-len(rest)))
	}
	return nil
}

func (d *bodyDecoder) unknown(name string) error {
	if len(name) > maxEchoedName {
		return malformed("", CodeUnknownField,
			fmt.Sprintf("the field whose name ends at byte %d is unknown; a user has id, name, email and group", d.tokens.InputOffset()))
	}
	pointer := string(jsontext.Pointer("").AppendToken(name))
	lower := strings.ToLower(name)
	for _, known := range []string{"id", "name", "email", "group"} {
		if lower == known {
			return malformed(pointer, CodeUnknownField,
				fmt.Sprintf("is unknown; names are case-sensitive: write %q", known))
		}
	}
	return malformed(pointer, CodeUnknownField, "is unknown; a user has id, name, email and group")
}

// syntax turns the tokenizer's error, if any, into ours. pointer is the field
// whose value is being read; for some errors the tokenizer itself knows none.
func (d *bodyDecoder) syntax(pointer string, err error) error {
	if err == nil {
		return nil
	}
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return malformed(pointer, CodeSyntax, "not JSON: "+err.Error())
	}
	pointer = cmp.Or(string(at.JSONPointer), pointer) // short: reading stops at an unknown name
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed(pointer, CodeDuplicateField, "is there more than once")
	case d.invalidUTF8(at.ByteOffset):
		return malformed(pointer, CodeInvalidUTF8, fmt.Sprintf("byte %d is not valid UTF-8", at.ByteOffset))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(pointer, CodeSyntax, fmt.Sprintf("the JSON ends too early, at byte %d", at.ByteOffset))
	}
	return malformed(pointer, CodeSyntax, fmt.Sprintf("not JSON at byte %d: %v", at.ByteOffset, at.Err))
}

func (d *bodyDecoder) invalidUTF8(offset int64) bool {
	r, size := utf8.DecodeRune(d.body[offset:])
	return r == utf8.RuneError && size == 1
}

func malformed(pointer, code, detail string) error {
	return &MalformedError{FieldError{Pointer: pointer, Code: code, Detail: detail}}
}

// beginsValue reports whether kind is the start of a value; where one is due,
// anything else is a syntax error.
func beginsValue(kind jsontext.Kind) bool {
	return kind != jsontext.KindInvalid && kind != jsontext.KindEndObject && kind != jsontext.KindEndArray
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	case jsontext.KindInvalid, jsontext.KindEndObject, jsontext.KindEndArray: // begin no value
	}
	return "that"
}
