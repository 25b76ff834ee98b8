package user

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/text/unicode/norm"
)

// Validator checks users and patches against the rules. Make it once with
// NewValidator: it caches what it learns of the types. Safe for concurrent use.
type Validator struct {
	rules *validator.Validate
}

// draft is a patch that must be a whole user.
type draft struct {
	ID    *string `json:"id"    validate:"required,user_id"`
	Name  *string `json:"name"  validate:"required,user_name"`
	Email *string `json:"email" validate:"required,user_email"`
	Group *int    `json:"group" validate:"required,user_group"`
}

// update is a patch of a user that exists.
type update struct {
	ID    *string `json:"id"    validate:"required,user_id"`
	Name  *string `json:"name"  validate:"omitnil,user_name"`
	Email *string `json:"email" validate:"omitnil,user_email"`
	Group *int    `json:"group" validate:"omitnil,user_group"`
}

// NewValidator returns a Validator. An error is a mistake in this package.
func NewValidator() (*Validator, error) {
	v := validator.New()
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("json") })
	err := errors.Join(
		v.RegisterValidation("id_chars", onText(idCharacters)),
		v.RegisterValidation("not_blank", onText(notBlank)),
		v.RegisterValidation("no_control", onText(noControl)),
		v.RegisterValidation("max_bytes", maxBytes),
		v.RegisterValidation("mailbox", onText(mailbox)),
	)
	if err != nil {
		return nil, fmt.Errorf("register the rules of a user: %w", err)
	}
	v.RegisterAlias("user_id", "min=1,max=64,id_chars")
	v.RegisterAlias("user_name", "not_blank,max=200,no_control")
	v.RegisterAlias("user_email", "max_bytes=254,email,mailbox")
	v.RegisterAlias("user_group", "gte=0,lte=2147483647")
	return &Validator{rules: v}, nil
}

// ValidID reports whether id may be the id of a user.
func (v *Validator) ValidID(id string) bool {
	return v.rules.Var(id, "user_id") == nil
}

// New returns the user that p describes, its text in NFC. Every field is
// required. The error is an *InvalidError that names each failing field.
func (v *Validator) New(p Patch) (User, error) {
	p = normalised(p)
	if err := v.check(draft(p)); err != nil {
		return User{}, err
	}
	return User{ID: *p.ID, Name: *p.Name, Email: *p.Email, Group: *p.Group}, nil
}

// Patch returns p with its text in NFC. The id is required; the other fields
// are checked where they are given, and none need be: the empty subset is a
// subset. The error is an *InvalidError that names each failing field.
func (v *Validator) Patch(p Patch) (Patch, error) {
	p = normalised(p)
	if err := v.check(update(p)); err != nil {
		return Patch{}, err
	}
	return p, nil
}

func (v *Validator) check(fields any) error {
	err := v.rules.Struct(fields)
	if err == nil {
		return nil
	}
	var failed validator.ValidationErrors
	if !errors.As(err, &failed) {
		return fmt.Errorf("check a user: %w", err)
	}
	invalid := &InvalidError{Fields: make([]FieldError, len(failed))}
	for i, f := range failed {
		invalid.Fields[i] = FieldError{
			Pointer: "/" + f.Field(),
			Code:    codeOf(f.ActualTag()),
			Detail:  "must be " + ruleOf(f.Field()),
		}
		if f.ActualTag() == "required" {
			invalid.Fields[i].Detail = "is missing; it must be " + ruleOf(f.Field())
		}
	}
	return invalid
}

// codeOf maps the tag that failed to the code of the reply.
func codeOf(tag string) string {
	switch tag {
	case "required":
		return CodeRequired
	case "min":
		return CodeTooShort
	case "max", "max_bytes":
		return CodeTooLong
	case "not_blank":
		return CodeBlank
	case "id_chars":
		return CodeBadCharacters
	case "no_control":
		return CodeControlCharacters
	case "gte", "lte":
		return CodeOutOfRange
	default: // email, mailbox
		return CodeInvalidEmail
	}
}

// ruleOf says what a field must be, for people.
func ruleOf(field string) string {
	switch field {
	case "id":
		return "1 to 64 characters, each of A-Z a-z 0-9 _ -"
	case "name":
		return "1 to 200 characters, no control characters, and not only white space"
	case "email":
		return "an e-mail address such as ada@example.com, of at most 254 bytes"
	default:
		return "an integer from 0 to 2147483647"
	}
}

// normalised returns a copy of p with its text in NFC; p itself is not changed.
func normalised(p Patch) Patch {
	for _, field := range []**string{&p.Name, &p.Email} {
		if *field != nil {
			text := norm.NFC.String(**field)
			*field = &text
		}
	}
	return p
}

func onText(ok func(string) bool) validator.Func {
	return func(fl validator.FieldLevel) bool { return ok(fl.Field().String()) }
}

// maxBytes is max in bytes; the library's counts characters.
func maxBytes(fl validator.FieldLevel) bool {
	limit, err := strconv.Atoi(fl.Param())
	return err == nil && len(fl.Field().String()) <= limit
}

func idCharacters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !isASCIIAlphanumeric(r) && r != '_' && r != '-'
	})
}

func notBlank(s string) bool { return strings.TrimSpace(s) != "" }

func noControl(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

// mailbox narrows the library's email rule, which takes quoted local parts
// ("a b"@example.com), parts of any length, invisible characters, and domain
// labels such as "-c" or "b~c". Ours: local@domain, the local part unquoted and
// of at most 64 bytes, the domain of labels of 1 to 63 bytes that neither begin
// nor end with a hyphen. Letters of any script may stand in both parts. It runs
// on what passed the library's rule.
func mailbox(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at > 64 || strings.ContainsFunc(s, invisible) || s[0] == '"' {
		return false
	}
	for label := range strings.SplitSeq(s[at+1:], ".") {
		if !domainLabel(label) {
			return false
		}
	}
	return true
}

func domainLabel(s string) bool {
	if len(s) < 1 || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < utf8.RuneSelf && !isASCIIAlphanumeric(r) && r != '-'
	})
}

// invisible: control and format characters, spaces, unassigned code points.
func invisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

func isASCIIAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
