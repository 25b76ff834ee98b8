// Package restclient speaks the users API the way a careful client does: each
// call is one request, and its result says what the client may conclude.
//
// Invariants:
//   - Nothing is retried, but by a client that moves (see NewMoving). The
//     transport repeats a write only if not a byte of it left; a read that it
//     repeated, because the connection broke under the first, counts as
//     unanswered.
//   - Unavailable means proven not applied: the gateway said 503, or no
//     connection was made. Unknown means a request may have been carried out.
//   - Replies are bounded; a reply that breaks the API's contract is an error
//     even where its status says success.
package restclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/tests/history"
)

// User and Patch are what requests carry.
type (
	User  = history.User
	Patch = history.Patch
)

// maxIdle bounds the idle connections to one gateway: more than any test has
// clients, so that none pays for a new connection in the middle.
const maxIdle = 1024

// errRepeated: whoever has a simpler client would have seen this read fail.
var errRepeated = errors.New("the connection broke under the first attempt to read")

// Client sends requests to one gateway, or to several in turn. It is safe for
// concurrent use.
type Client struct {
	bases   []string
	timeout time.Duration
	http    *http.Client
	next    atomic.Uint64
	moving  *moving // nil: each request is sent to one gateway only
}

// New returns a client of the gateways at baseURLs (at least one, such as
// http://127.0.0.1:8080) that waits at most timeout for each whole reply.
func New(timeout time.Duration, baseURLs ...string) *Client {
	if len(baseURLs) == 0 {
		panic("restclient.New needs the URL of a gateway")
	}
	bases := make([]string, len(baseURLs))
	for i, base := range baseURLs {
		bases[i] = strings.TrimSuffix(base, "/")
	}
	transport := &http.Transport{
		MaxIdleConns:        maxIdle * len(bases),
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	return &Client{bases: bases, timeout: timeout, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Create sends POST /api/users/. A user without an id gets one from the server.
func (c *Client) Create(ctx context.Context, u User) Result {
	body := map[string]any{"name": u.Name, "email": u.Email, "group": u.Group}
	if u.ID != "" {
		body["id"] = u.ID
	}
	return c.send(ctx, http.MethodPost, "", body)
}

// Get sends GET /api/users/{id}.
func (c *Client) Get(ctx context.Context, id string) Result {
	return c.send(ctx, http.MethodGet, id, nil)
}

// Update sends PUT /api/users/{id} with the fields that p sets.
func (c *Client) Update(ctx context.Context, id string, p Patch) Result {
	return c.send(ctx, http.MethodPut, id, p)
}

// Delete sends DELETE /api/users/{id}.
func (c *Client) Delete(ctx context.Context, id string) Result {
	return c.send(ctx, http.MethodDelete, id, nil)
}

// send makes one request and reads its whole reply.
func (c *Client) send(ctx context.Context, method, id string, body any) Result {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start := time.Now()
	ask := func(ctx context.Context, gateway int) attempt {
		request, err := newRequest(ctx, method, c.bases[gateway]+"/api/users/"+url.PathEscape(id), body)
		if err != nil {
			return attempt{Result: Result{Outcome: Rejected, Err: err}, whole: true}
		}
		return c.exchange(request)
	}
	var result Result
	if c.moving == nil {
		result = ask(ctx, int(c.next.Add(1)%uint64(len(c.bases)))).Result
	} else {
		result = c.moving.send(ctx, int(c.next.Add(1)), ask)
	}
	result.Start, result.Took = start, time.Since(start)
	return result
}

func newRequest(ctx context.Context, method, target string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, target, http.NoBody)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// attempt is what one gateway made of a request.
type attempt struct {
	Result
	whole bool // a whole reply came
	left  bool // some of the request may have left
}

func (c *Client) exchange(request *http.Request) attempt {
	var sent atomic.Int32 // attempts of the transport, on goroutines of its own
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Add(1) }}
	reply, err := c.http.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return attempt{Result: Result{Outcome: unanswered(err), Err: err}, left: sent.Load() > 0}
	}
	defer reply.Body.Close()
	if request.Method == http.MethodGet && sent.Load() > 1 {
		return attempt{Result: Result{Outcome: Unknown, Err: errRepeated}, left: true}
	}
	result, whole := read(request.Method, reply)
	return attempt{Result: result, whole: whole, left: true}
}
