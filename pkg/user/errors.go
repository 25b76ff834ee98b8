package user

import (
	"fmt"
	"strings"
)

// FieldError says what is wrong at one place of a request body.
type FieldError struct {
	Pointer string `json:"pointer"` // JSON Pointer (RFC 6901) to the field; empty for the whole body
	Code    string `json:"code"`    // for programs: one of the Code constants
	Detail  string `json:"detail"`  // for people: what is wrong and what would be right
}

// Codes of a MalformedError.
const (
	CodeEmptyBody      = "empty_body"
	CodeNotAnObject    = "not_an_object"
	CodeSyntax         = "syntax"
	CodeInvalidUTF8    = "invalid_utf8"
	CodeTrailingData   = "trailing_data"
	CodeUnknownField   = "unknown_field"
	CodeDuplicateField = "duplicate_field"
	CodeNull           = "null"
	CodeWrongType      = "wrong_type"
	CodeNotAnInteger   = "not_an_integer"
)

// Codes of an InvalidError.
const (
	CodeRequired          = "required"
	CodeTooShort          = "too_short"
	CodeTooLong           = "too_long"
	CodeBlank             = "blank"
	CodeBadCharacters     = "bad_characters"
	CodeControlCharacters = "control_characters"
	CodeInvalidEmail      = "invalid_email"
	CodeOutOfRange        = "out_of_range"
	CodeMismatch          = "mismatch"
)

// MalformedError says that a body is not JSON with fields of the right names
// and types. It names the first place that is wrong; reading stops there.
type MalformedError struct {
	FieldError
}

func (e *MalformedError) Error() string {
	return "malformed user: " + e.text()
}

// InvalidError says that a well-formed user breaks the rules. It names each
// failing field, once, and is never empty.
type InvalidError struct {
	Fields []FieldError
}

func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		texts[i] = f.text()
	}
	return "invalid user: " + strings.Join(texts, "; ")
}

func (e FieldError) text() string {
	if e.Pointer == "" {
		return e.Detail
	}
	return fmt.Sprintf("%s: %s", e.Pointer, e.Detail)
}
