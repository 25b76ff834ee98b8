package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/dyad-db/dyad/pkg/user"
)

// MaxBody is the largest request body that is read, in bytes.
const MaxBody = 64 << 10

// maxUnread bounds what is read of a body that a reply did not wait for: as much
// as net/http reads for a connection that is to be used again.
const maxUnread = 256 << 10

// decodeBody reads what the request says of a user.
func decodeBody(c *gin.Context) (user.Patch, error) {
	if err := checkMediaType(c.Request); err != nil {
		return user.Patch{}, err
	}
	body, err := readBody(c.Writer, c.Request)
	if err != nil {
		return user.Patch{}, err
	}
	return user.DecodePatch(body)
}

// checkMediaType accepts application/json in UTF-8, unpacked. A request without
// a body needs no type: it fails as an empty body.
func checkMediaType(r *http.Request) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return errMediaType
	}
	value := r.Header.Get("Content-Type")
	if value == "" && r.ContentLength == 0 {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil || mediaType != "application/json" {
		return errMediaType
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return errMediaType
	}
	return nil
}

// readBody returns the whole body, of at most MaxBody bytes. One that announces
// more is refused unread.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil {
		return body, nil
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	}
	return nil, fmt.Errorf("%w: %w", errBodyBroken, err)
}

// drained reads what next left of a request's body, before the reply leaves. Where
// the connection ends with the reply, net/http does not: the client, still sending,
// would find it reset and never see why. Who waits to be told to go on (Expect)
// sends nothing.
func drained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Header.Get("Expect") == "" {
			_, _ = io.CopyN(io.Discard, r.Body, maxUnread) // a body that broke needs no more
		}
	})
}
