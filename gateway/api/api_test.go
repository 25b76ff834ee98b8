package api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/gateway/api/mocks"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
)

const ada = `{"id":"ada","name":"Ada Lovelace","email":"ada@example.com","group":7}`

func rules(t *testing.T) *user.Validator {
	t.Helper()
	v, err := user.NewValidator()
	require.NoError(t, err)
	return v
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// serve sends one request through a real server and client, so that the reply
// is what a client sees. headers are name, value, name, value.
func serve(t *testing.T, users api.Users, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	server := httptest.NewServer(api.New(users, rules(t), silent()))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
	require.NoError(t, err)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// requireUser checks everything a reply with a user must have.
func requireUser(t *testing.T, r reply, status int, body string) {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	require.Equal(t, body, r.body)
	require.Equal(t, "application/json; charset=utf-8", r.header.Get("Content-Type"))
	require.Equal(t, strconv.Itoa(len(body)), r.header.Get("Content-Length"))
	requireCommon(t, r)
}

func requireCommon(t *testing.T, r reply) {
	t.Helper()
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"))
}

// holding makes users run the one change it expects, of id, over doc.
func holding(t *testing.T, id string, doc []byte) *mocks.Users {
	users := mocks.NewUsers(t)
	users.EXPECT().Change(mock.Anything, id, mock.Anything).
		RunAndReturn(func(_ context.Context, _ string, change register.Change) ([]byte, error) { return change(doc) }).Once()
	return users
}

// removing makes users run the one deletion it expects, of ada, over doc.
func removing(t *testing.T, doc []byte) *mocks.Users {
	users := mocks.NewUsers(t)
	users.EXPECT().Remove(mock.Anything, "ada", mock.Anything).
		RunAndReturn(func(_ context.Context, _ string, change register.Change) error {
			left, err := change(doc)
			require.Nil(t, left)
			return err
		}).Once()
	return users
}

func TestCreate(t *testing.T) {
	for _, path := range []string{"/api/users", "/api/users/", "/api/users/?x=/"} {
		r := serve(t, holding(t, "ada", nil), "POST", path, strings.NewReader(ada))
		requireUser(t, r, http.StatusCreated, ada)
		require.Equal(t, "/api/users/ada", r.header.Get("Location"))
	}
}

func TestCreateStoresCanonicalNFC(t *testing.T) {
	body := "{ \"group\":0, \"email\":\"zoe\\u0308@example.com\", \"name\":\"Zoe\u0308 <O'Hara> \\u0026 \\\"名前\\\"\", \"id\":\"zoe\" }"
	r := serve(t, holding(t, "zoe", nil), "POST", "/api/users", strings.NewReader(body))
	requireUser(t, r, http.StatusCreated, `{"id":"zoe","name":"Zoë <O'Hara> & \"名前\"","email":"zoë@example.com","group":0}`)
}

func TestCreateMakesAnID(t *testing.T) {
	users := mocks.NewUsers(t)
	var id string
	users.EXPECT().Change(mock.Anything, mock.Anything, mock.Anything).
		RunAndReturn(func(_ context.Context, made string, change register.Change) ([]byte, error) {
			id = made
			return change(nil)
		}).Once()
	r := serve(t, users, "POST", "/api/users", strings.NewReader(`{"name":"Ada","email":"ada@example.com","group":7}`))
	requireUser(t, r, http.StatusCreated, `{"id":"`+id+`","name":"Ada","email":"ada@example.com","group":7}`)
	require.Equal(t, "/api/users/"+id, r.header.Get("Location"))
	parsed, err := uuid.Parse(id)
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), parsed.Version())
	require.Len(t, id, 36)
}

func TestReadPassesTheStoredBytesThrough(t *testing.T) {
	stored := `{"group": 7.0, "not": "canonical"}`
	for _, path := range []string{"/api/users/ada", "/api/users/ada/", "/api/users/%61da", "/api/users/ada?verbose=1"} {
		users := mocks.NewUsers(t)
		users.EXPECT().Read(mock.Anything, "ada").Return([]byte(stored), nil).Once()
		requireUser(t, serve(t, users, "GET", path, nil), http.StatusOK, stored)
	}
}

func TestHead(t *testing.T) {
	for _, path := range []string{"/api/users/ada", "/api/users/ada/"} {
		users := mocks.NewUsers(t)
		users.EXPECT().Read(mock.Anything, "ada").Return([]byte(ada), nil).Once()
		r := serve(t, users, "HEAD", path, nil)
		require.Equal(t, http.StatusOK, r.status)
		require.Empty(t, r.body)
		require.Equal(t, strconv.Itoa(len(ada)), r.header.Get("Content-Length"))
		require.Equal(t, "application/json; charset=utf-8", r.header.Get("Content-Type"))
		requireCommon(t, r)
	}
}

func TestUpdate(t *testing.T) {
	changed := strings.Replace(ada, "Lovelace", "King", 1)
	cases := map[string]struct{ path, body, want string }{
		"id in the body":              {"/api/users/", `{"id":"ada","name":"Ada King"}`, changed},
		"id in the body, no slash":    {"/api/users", `{"id":"ada","name":"Ada King"}`, changed},
		"id in the path":              {"/api/users/ada", `{"name":"Ada King"}`, changed},
		"id in the path, slash":       {"/api/users/ada/", `{"name":"Ada King"}`, changed},
		"id in both":                  {"/api/users/%61da", `{"id":"ada","name":"Ada King"}`, changed},
		"nothing to change":           {"/api/users", `{"id":"ada"}`, ada},
		"nothing to change, by path":  {"/api/users/ada", `{}`, ada},
		"name in another normal form": {"/api/users/ada", `{"name":"A\u0308"}`, strings.Replace(ada, "Ada Lovelace", "Ä", 1)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := serve(t, holding(t, "ada", []byte(ada)), "PUT", c.path, strings.NewReader(c.body))
			requireUser(t, r, http.StatusOK, c.want)
		})
	}
}

func TestDelete(t *testing.T) {
	for _, path := range []string{"/api/users/ada", "/api/users/ada/"} {
		r := serve(t, removing(t, []byte(ada)), "DELETE", path, nil)
		require.Equal(t, http.StatusNoContent, r.status)
		require.Empty(t, r.body)
		require.Empty(t, r.header.Get("Content-Type"))
		requireCommon(t, r)
	}
}

func TestMediaTypes(t *testing.T) {
	for _, mediaType := range []string{
		"application/json", "Application/JSON", "application/json; charset=utf-8", `application/json;charset="UTF-8"; version=1`,
	} {
		r := serve(t, holding(t, "ada", nil), "POST", "/api/users", strings.NewReader(ada), "Content-Type", mediaType)
		require.Equal(t, http.StatusCreated, r.status, mediaType)
	}
	r := serve(t, holding(t, "ada", nil), "POST", "/api/users", strings.NewReader(ada), "Content-Encoding", "identity")
	require.Equal(t, http.StatusCreated, r.status)
	r = serve(t, mocks.NewUsers(t), "POST", "/api/users", strings.NewReader(ada), "Content-Encoding", "gzip")
	require.Equal(t, http.StatusUnsupportedMediaType, r.status)
}

// stream hides a body's length, so that it is sent in chunks.
type stream struct{ io.Reader }

func TestBodySize(t *testing.T) {
	fitting := ada + strings.Repeat("\n", api.MaxBody-len(ada))
	for name, body := range map[string]io.Reader{"announced": strings.NewReader(fitting), "chunked": stream{strings.NewReader(fitting)}} {
		r := serve(t, holding(t, "ada", nil), "POST", "/api/users", body)
		require.Equal(t, http.StatusCreated, r.status, name)
	}
	r := serve(t, mocks.NewUsers(t), "POST", "/api/users", stream{strings.NewReader(fitting + "\n")})
	require.Equal(t, http.StatusRequestEntityTooLarge, r.status)
	require.Contains(t, r.body, "body_too_large")
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

// What announces too much is refused for that alone. Some of it is read so that
// the client gets to see it, but not all that it cares to send.
func TestBodyThatAnnouncesTooMuch(t *testing.T) {
	body := &endless{}
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/api/users", body)
	request.ContentLength = 1 << 40
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	api.New(mocks.NewUsers(t), rules(t), silent()).ServeHTTP(recorder, request)
	require.Equal(t, http.StatusRequestEntityTooLarge, recorder.Code)
	require.LessOrEqual(t, body.read, 512<<10)

	body = &endless{}
	request = httptest.NewRequestWithContext(t.Context(), "POST", "/api/users", body)
	request.ContentLength = api.MaxBody + 1
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Expect", "100-continue")
	recorder = httptest.NewRecorder()
	api.New(mocks.NewUsers(t), rules(t), silent()).ServeHTTP(recorder, request)
	require.Equal(t, http.StatusRequestEntityTooLarge, recorder.Code)
	require.Zero(t, body.read, "who asks first has not sent it")
}

// A client that wants its connection closed, and only then reads its reply, sends
// its whole body before. It must not find the connection reset under it.
func TestARefusalReachesAClientThatIsStillSending(t *testing.T) {
	server := httptest.NewServer(api.New(mocks.NewUsers(t), rules(t), silent()))
	defer server.Close()
	for head, status := range map[string]int{
		"POST /api/users HTTP/1.1\r\nContent-Type: application/json":      http.StatusRequestEntityTooLarge,
		"POST /api/users HTTP/1.1\r\nContent-Type: text/plain":            http.StatusUnsupportedMediaType,
		"PUT /api/nothing HTTP/1.1\r\nContent-Type: application/json":     http.StatusNotFound,
		"PATCH /api/users/ada HTTP/1.1\r\nContent-Type: application/json": http.StatusMethodNotAllowed,
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		piece, pieces := strings.Repeat(" ", 16<<10), 8
		_, err = fmt.Fprintf(conn, "%s\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", head, pieces*len(piece))
		require.NoError(t, err)
		for range pieces {
			<-time.NewTimer(10 * time.Millisecond).C // as on a real network
			_, err = io.WriteString(conn, piece)
			require.NoError(t, err, head)
		}
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, head)
		_, err = io.Copy(io.Discard, reply.Body)
		require.NoError(t, err, head)
		require.NoError(t, reply.Body.Close())
		require.Equal(t, status, reply.StatusCode, head)
	}
}

// broken fails after a few bytes, as when a client goes away.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBodyThatBreaksOff(t *testing.T) {
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/api/users", broken{strings.NewReader(`{"id":`)})
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	api.New(mocks.NewUsers(t), rules(t), silent()).ServeHTTP(recorder, request)
	require.Equal(t, http.StatusBadRequest, recorder.Code)
	require.Contains(t, recorder.Body.String(), "incomplete_body")
}

func TestAllow(t *testing.T) {
	for path, want := range map[string]string{"/api/users/": "POST, PUT", "/api/users/ada": "PUT, GET, HEAD, DELETE"} {
		require.Equal(t, want, serve(t, mocks.NewUsers(t), "PATCH", path, nil).header.Get("Allow"))
	}
}

func TestRequestIsNotModified(t *testing.T) {
	users := mocks.NewUsers(t)
	users.EXPECT().Read(mock.Anything, "ada").Return([]byte(ada), nil).Once()
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/api/users/%61da/", nil)
	api.New(users, rules(t), silent()).ServeHTTP(httptest.NewRecorder(), request)
	require.Equal(t, "/api/users/ada/", request.URL.Path)
	require.Equal(t, "/api/users/%61da/", request.URL.RawPath)
}

type contextKey struct{}

func TestChangeOutlivesItsClientAndReadDoesNot(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "kept"))
	cancel()
	users := mocks.NewUsers(t)
	outlives := func(ctx context.Context) {
		require.NoError(t, ctx.Err())
		require.Equal(t, "kept", ctx.Value(contextKey{}))
	}
	users.EXPECT().Change(mock.Anything, "ada", mock.Anything).
		RunAndReturn(func(ctx context.Context, _ string, change register.Change) ([]byte, error) {
			outlives(ctx)
			return change([]byte(ada))
		}).Once()
	users.EXPECT().Remove(mock.Anything, "ada", mock.Anything).
		RunAndReturn(func(ctx context.Context, _ string, _ register.Change) error {
			outlives(ctx)
			return nil
		}).Once()
	users.EXPECT().Read(mock.Anything, "ada").
		RunAndReturn(func(ctx context.Context, _ string) ([]byte, error) { return nil, ctx.Err() }).Once()
	handler := api.New(users, rules(t), silent())
	for _, c := range []struct {
		method, body string
		status       int
	}{
		{"PUT", `{"group":8}`, http.StatusOK},
		{"DELETE", "", http.StatusNoContent},
		{"GET", "", http.StatusServiceUnavailable},
	} {
		request := httptest.NewRequestWithContext(ctx, c.method, "/api/users/ada", bytes.NewReader([]byte(c.body)))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		require.Equal(t, c.status, recorder.Code, c.method)
	}
}
