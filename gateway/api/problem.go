package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
)

// typeProblem is the media type of RFC 9457.
const typeProblem = "application/problem+json"

// detailInternal tells nothing of the inside.
const detailInternal = "The server made a mistake, which it logged. A change may or may not have been applied: read the user to see."

const detailUnknown = "The change may or may not have been applied. Read the user to see, then repeat the request if it was not."

// What can be wrong with a request besides its body's content.
var (
	errNoSuchPath       = errors.New("no such path")
	errMethodNotAllowed = errors.New("method not allowed")
	errPathID           = errors.New("invalid id in the path")
	errMediaType        = errors.New("not JSON by its media type")
	errTooLarge         = errors.New("body too large")
	errBodyBroken       = errors.New("body broke off")
)

// problem is the body of every reply that is not 2xx (RFC 9457). Type and Title
// follow from Status. Errors has at least one entry; an entry without a pointer
// speaks of the whole request.
type problem struct {
	Type   string            `json:"type"`
	Title  string            `json:"title"`
	Status int               `json:"status"`
	Detail string            `json:"detail"`
	Errors []user.FieldError `json:"errors"`
}

// row is a line of the table from errors to replies.
type row struct {
	cause  error
	status int
	code   string
	detail string
}

// rows is the table from errors to replies. The first row that matches counts:
// an error that is both unknown and anything else is unknown.
func rows() []row {
	return []row{
		{register.ErrUnknown, http.StatusGatewayTimeout, "outcome_unknown", detailUnknown},
		{
			register.ErrUnavailable, http.StatusServiceUnavailable, "unavailable",
			"Too few storage nodes answered; nothing was applied. Try again.",
		},
		{
			register.ErrNoSpace, http.StatusInsufficientStorage, "no_space",
			"The disks of two storage nodes are full; nothing was applied. Give them room and try again: they go on by themselves. Reads and deletions work meanwhile.",
		},
		{context.DeadlineExceeded, http.StatusGatewayTimeout, "outcome_unknown", detailUnknown},
		{context.Canceled, http.StatusGatewayTimeout, "outcome_unknown", detailUnknown},
		{
			user.ErrNotFound, http.StatusNotFound, "user_not_found",
			"There is no user with this id.",
		},
		{
			user.ErrExists, http.StatusConflict, "user_exists",
			"A user with this id exists already. Change it with PUT, or create one with another id.",
		},
		{
			errPathID, http.StatusBadRequest, "invalid_path_id",
			"The id in the path must be 1 to 64 characters, each of A-Z a-z 0-9 _ -.",
		},
		{
			errBodyBroken, http.StatusBadRequest, "incomplete_body",
			"The body could not be read to its end. Send it again, with its true length.",
		},
		{
			errNoSuchPath, http.StatusNotFound, "no_such_path",
			"There is nothing at this path. Users are at /api/users/{id}.",
		},
		{
			errMethodNotAllowed, http.StatusMethodNotAllowed, "method_not_allowed",
			"The path does not take this method; the Allow header lists those it takes.",
		},
		{
			errTooLarge, http.StatusRequestEntityTooLarge, "body_too_large",
			fmt.Sprintf("The body is larger than %d bytes.", MaxBody),
		},
		{
			errMediaType, http.StatusUnsupportedMediaType, "not_json",
			"Send the body as Content-Type: application/json, in UTF-8, without Content-Encoding.",
		},
	}
}

// problemOf finds the reply for err; an error in no row is a bug of ours.
func problemOf(err error) problem {
	if malformed, ok := errors.AsType[*user.MalformedError](err); ok {
		return newProblem(http.StatusBadRequest, malformed.Error(), malformed.FieldError)
	}
	if invalid, ok := errors.AsType[*user.InvalidError](err); ok {
		return newProblem(http.StatusUnprocessableEntity, invalid.Error(), invalid.Fields...)
	}
	for _, r := range rows() {
		if errors.Is(err, r.cause) {
			return newProblem(r.status, r.detail, user.FieldError{Code: r.code, Detail: r.detail})
		}
	}
	return general(http.StatusInternalServerError, detailInternal)
}

// WriteProblem answers with a problem that speaks of the whole request, for the
// paths that the gateway serves besides this package. detail says what to do
// next and nothing of the inside. A 503 carries Retry-After.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	general(status, detail).write(w)
}

func general(status int, detail string) problem {
	code, _ := kindOf(status)
	return newProblem(status, detail, user.FieldError{Code: code, Detail: detail})
}

func newProblem(status int, detail string, fields ...user.FieldError) problem {
	kind, title := kindOf(status)
	return problem{Type: "urn:dyad:problem:" + kind, Title: title, Status: status, Detail: detail, Errors: fields}
}

// kindOf gives the last part of a problem's type, and its title.
func kindOf(status int) (kind, title string) {
	switch status {
	case http.StatusBadRequest:
		return "malformed", "The request is malformed"
	case http.StatusNotFound:
		return "not_found", "Not found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed", "Method not allowed"
	case http.StatusConflict:
		return "conflict", "The request conflicts with what is stored"
	case http.StatusRequestEntityTooLarge:
		return "too_large", "The body is too large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type", "The body is not JSON"
	case http.StatusUnprocessableEntity:
		return "invalid", "The user breaks the rules"
	case http.StatusServiceUnavailable:
		return "unavailable", "No quorum: not applied"
	case http.StatusInsufficientStorage:
		return "no_space", "No space: not applied"
	case http.StatusGatewayTimeout:
		return "outcome_unknown", "The outcome is unknown"
	case http.StatusInternalServerError:
		return "internal", "Internal error"
	default:
		return "other", http.StatusText(status)
	}
}

func (p problem) write(w http.ResponseWriter) {
	// Details may quote the request: what is not UTF-8 in them becomes U+FFFD.
	body, err := json.Marshal(p, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(fmt.Sprintf("a problem does not marshal: %v", err)) // strings and an int always do
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1") // seconds
	}
	writeBody(w, p.Status, typeProblem, body)
}
