package badrequests_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/badrequests"
)

const right = `{"type":"urn:dyad:problem:x","title":"T","status":422,"detail":"D","errors":[{"pointer":"/id","code":"c","detail":"d"}]}`

// header is what goes with body in a reply that Verify takes.
func header(body string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return h
}

// TestVerifyObjects: a check that cannot fail checks nothing.
func TestVerifyObjects(t *testing.T) {
	c := badrequests.Case{Status: 422, Errors: []badrequests.Place{{Code: "c", Pointer: "/id"}}}
	require.NoError(t, c.Verify(422, header(right), []byte(right)))
	require.Error(t, c.Verify(400, header(right), []byte(right)))

	for _, edit := range []struct{ old, new string }{
		{`"type":"urn:dyad:problem:x",`, ``},
		{`urn:dyad`, `urn:other`},
		{`"title":"T",`, ``},
		{`"T"`, `""`},
		{`"status":422,`, ``},
		{`422`, `400`},
		{`"detail":"D",`, ``},
		{`"detail":"d"`, `"detail":""`},
		{`,"detail":"d"`, ``},
		{`"code":"c",`, ``},
		{`"code":"c"`, `"code":"x"`},
		{`"pointer":"/id",`, ``},
		{`"/id"`, `""`},
		{`"errors":`, `"instance":"x","errors":`},
		{`[{"pointer":"/id","code":"c","detail":"d"}]`, `[]`},
		{`}]`, `},{"pointer":"","code":"c","detail":"d"}]`},
		{right, `not found`},
		{right, ``},
	} {
		body := strings.Replace(right, edit.old, edit.new, 1)
		require.NotEqual(t, right, body)
		require.Error(t, c.Verify(422, header(body), []byte(body)), body)
	}
}

func TestVerifyObjectsToHeaders(t *testing.T) {
	c := badrequests.Case{Status: 422, Errors: []badrequests.Place{{Code: "c", Pointer: "/id"}}}
	for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options"} {
		h := header(right)
		h.Set(name, "1")
		require.Error(t, c.Verify(422, h, []byte(right)), name)
		h.Del(name)
		require.Error(t, c.Verify(422, h, []byte(right)), name)
	}
	h := header(right)
	h.Set("Allow", "GET")
	require.Error(t, c.Verify(422, h, []byte(right)), "Allow goes with 405 alone")

	c.Status = 405
	body := strings.Replace(right, "422", "405", 1)
	require.NoError(t, c.Verify(405, h, []byte(body)))
	require.Error(t, c.Verify(405, header(body), []byte(body)), "405 goes with Allow")
}

func TestVerifyOfHead(t *testing.T) {
	c := badrequests.Case{Method: http.MethodHead, Status: 422}
	require.NoError(t, c.Verify(422, header(right), nil), "announces the length that GET would have")
	require.Error(t, c.Verify(422, header(right), []byte(right)))
}
