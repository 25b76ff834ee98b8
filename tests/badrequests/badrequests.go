// Package badrequests is the table of requests that the gateway must refuse,
// each with its reply. The unit tests of the API and the end-to-end tests over
// a cluster run the same table.
//
// It expects a store that holds the one user of [Stored] and nobody else. No
// case may change what is stored.
package badrequests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Stored is the document of the user that must exist, as a POST takes it and as
// a GET returns it. Its id is "ada".
const Stored = `{"id":"ada","name":"Ada Lovelace","email":"ada@example.com","group":7}`

// Case is one bad request and its reply.
type Case struct {
	Name        string
	Method      string
	Path        string // as it goes on the wire, percent-encoded
	ContentType string // none is sent when empty
	Body        string
	Status      int
	Errors      []Place // exactly these, in this order
}

// Place is what an entry of the reply's errors must say.
type Place struct {
	Code    string
	Pointer string // JSON Pointer to the field; empty: the whole request
}

// Request returns the request of c to the server at base, such as
// http://127.0.0.1:8080.
func (c Case) Request(ctx context.Context, base string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, c.Method, base+c.Path, strings.NewReader(c.Body))
	if err != nil {
		return nil, fmt.Errorf("case %q: %w", c.Name, err)
	}
	if c.ContentType != "" {
		r.Header.Set("Content-Type", c.ContentType)
	}
	return r, nil
}

// problem is the whole shape of a reply; pointers tell absent from empty.
type problem struct {
	Type   *string `json:"type"`
	Title  *string `json:"title"`
	Status *int    `json:"status"`
	Detail *string `json:"detail"`
	Errors []struct {
		Pointer *string `json:"pointer"`
		Code    *string `json:"code"`
		Detail  *string `json:"detail"`
	} `json:"errors"`
}

// Verify reports each way in which a reply, its body read to the end, is not
// what c wants.
func (c Case) Verify(status int, header http.Header, body []byte) error {
	faults := c.head(status, header)
	if c.Method == http.MethodHead {
		if len(body) != 0 {
			faults = append(faults, errors.New("a reply to HEAD has a body"))
		}
		return errors.Join(faults...)
	}
	if length := header.Get("Content-Length"); length != strconv.Itoa(len(body)) {
		faults = append(faults, fmt.Errorf("the Content-Length is %q, the body has %d bytes", length, len(body)))
	}
	return errors.Join(append(faults, c.problem(body)...)...)
}

func (c Case) head(status int, header http.Header) []error {
	var faults []error
	if status != c.Status {
		faults = append(faults, fmt.Errorf("status is %d, want %d", status, c.Status))
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/problem+json",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := header.Get(name); got != want {
			faults = append(faults, fmt.Errorf("%s is %q, want %q", name, got, want))
		}
	}
	if header.Get("Content-Length") == "" {
		faults = append(faults, errors.New("no Content-Length"))
	}
	if allow := header.Get("Allow"); (allow != "") != (c.Status == http.StatusMethodNotAllowed) {
		faults = append(faults, fmt.Errorf("the Allow header is %q with status %d", allow, c.Status))
	}
	return faults
}

func (c Case) problem(body []byte) []error {
	var p problem
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return []error{fmt.Errorf("the body is no problem: %w: %q", err, body)}
	}
	if p.Type == nil || p.Title == nil || p.Status == nil || p.Detail == nil {
		return []error{fmt.Errorf("a member is missing: %s", body)}
	}
	var faults []error
	if !strings.HasPrefix(*p.Type, "urn:dyad:problem:") || *p.Title == "" || *p.Detail == "" || *p.Status != c.Status {
		faults = append(faults, fmt.Errorf("type, title, status or detail is wrong: %s", body))
	}
	var got []Place
	for _, e := range p.Errors {
		if e.Pointer == nil || e.Code == nil || e.Detail == nil || *e.Detail == "" {
			return append(faults, fmt.Errorf("a member of an error is missing: %s", body))
		}
		got = append(got, Place{Code: *e.Code, Pointer: *e.Pointer})
	}
	if !slices.Equal(got, c.Errors) {
		faults = append(faults, fmt.Errorf("errors are at %v, want %v: %s", got, c.Errors, body))
	}
	return faults
}
