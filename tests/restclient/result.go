package restclient

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// Outcome is what a client may conclude from one request.
type Outcome string

// The outcomes of a request.
const (
	OK                 Outcome = "ok"                  // 200, 201, 204: done
	Exists             Outcome = "exists"              // 409
	NotFound           Outcome = "not found"           // 404
	PreconditionFailed Outcome = "precondition failed" // 412
	Rejected           Outcome = "rejected"            // any other 4xx: the request itself is wrong
	Unavailable        Outcome = "unavailable"         // 503, 507, or no connection: nothing was applied
	Unknown            Outcome = "unknown"             // 504, other 5xx, no whole reply: it may have been applied
)

// maxBody bounds a reply, in bytes; the largest proper one is far smaller.
const maxBody = 1 << 20

// Result is the end of one request.
type Result struct {
	Outcome    Outcome
	Status     int           // of the reply; 0 without one
	User       *User         // of an ok create, get or update
	Problem    *Problem      // of a 4xx or 5xx
	Location   string        // of a create
	RetryAfter time.Duration // as the reply asked; 0 if it did not
	Start      time.Time
	Took       time.Duration // from the first byte sent to the last received
	Err        error         // no reply, or a reply that breaks the API's contract
	Moved      bool          // this is what another gateway answered, after the first had not
	Doubt      bool          // moved, and the first gateway may carry it out as well, even later
}

// Problem is an error reply of RFC 9457.
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Errors []ProblemError `json:"errors"`
}

// ProblemError is one thing wrong with a request.
type ProblemError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// String says how the request ended, for a report.
func (r Result) String() string {
	s := string(r.Outcome)
	if r.Status != 0 {
		s = fmt.Sprintf("%s (%d)", s, r.Status)
	}
	if r.Problem != nil && r.Problem.Detail != "" {
		s += ": " + r.Problem.Detail
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// unanswered sorts a transport's error: without a connection nothing was sent.
func unanswered(err error) Outcome {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return Unavailable
	}
	return Unknown
}

// read takes a reply apart; whole says that all of it came.
func read(method string, reply *http.Response) (result Result, whole bool) {
	result = Result{Outcome: outcome(reply.StatusCode), Status: reply.StatusCode, Location: reply.Header.Get("Location")}
	if seconds, err := strconv.Atoi(reply.Header.Get("Retry-After")); err == nil && seconds > 0 {
		result.RetryAfter = time.Duration(seconds) * time.Second
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxBody+1))
	switch {
	case err != nil: // what came is no whole reply, whatever its status
		result.Outcome, result.Err = Unknown, fmt.Errorf("read the reply: %w", err)
	case len(body) > maxBody:
		result.Err = fmt.Errorf("the reply is over %d bytes", maxBody)
	default:
		result.Err = result.decode(method, reply.Header.Get("Content-Type"), body)
	}
	return result, err == nil
}

func outcome(status int) Outcome {
	switch {
	case status == http.StatusOK, status == http.StatusCreated, status == http.StatusNoContent:
		return OK
	case status == http.StatusConflict:
		return Exists
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusPreconditionFailed:
		return PreconditionFailed
	case status == http.StatusServiceUnavailable, status == http.StatusInsufficientStorage:
		return Unavailable
	case status >= 400 && status < 500:
		return Rejected
	}
	return Unknown
}

// decode fills in the body, and returns how it breaks the contract.
func (r *Result) decode(method, contentType string, body []byte) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = contentType
	}
	if r.Outcome != OK {
		if media != "application/problem+json" {
			return fmt.Errorf("the %d is %q, not application/problem+json", r.Status, contentType)
		}
		r.Problem = &Problem{}
		if err := json.Unmarshal(body, r.Problem); err != nil {
			return fmt.Errorf("the problem of the %d: %w", r.Status, err)
		}
		return nil
	}
	if want := success(method); r.Status != want {
		return fmt.Errorf("%s answered %d instead of %d", method, r.Status, want)
	}
	if r.Status == http.StatusNoContent {
		return nil
	}
	if media != "application/json" {
		return fmt.Errorf("the %d is %q, not application/json", r.Status, contentType)
	}
	r.User = &User{}
	if err := json.Unmarshal(body, r.User); err != nil {
		r.User = nil
		return fmt.Errorf("the user of the %d: %w", r.Status, err)
	}
	return nil
}

// success is the one status that says a method was carried out.
func success(method string) int {
	switch method {
	case http.MethodPost:
		return http.StatusCreated
	case http.MethodDelete:
		return http.StatusNoContent
	}
	return http.StatusOK
}
