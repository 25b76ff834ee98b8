package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/gateway/api/mocks"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
	"github.com/dyad-db/dyad/tests/badrequests"
)

var errSecret = errors.New("secret of the inside")

// call runs one request of ada against users.
func call(t *testing.T, users api.Users, logger *slog.Logger, method string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "/api/users/ada", strings.NewReader(`{"group":8}`))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	api.New(users, rules(t), logger).ServeHTTP(recorder, request)
	return recorder
}

// verify wants a whole problem that speaks of the whole request.
func verify(reply *httptest.ResponseRecorder, status int, code string) error {
	c := badrequests.Case{Status: status, Errors: []badrequests.Place{{Code: code}}}
	return c.Verify(reply.Code, reply.Header(), reply.Body.Bytes())
}

func TestErrorsOfUsers(t *testing.T) {
	cases := []struct {
		name        string
		err         error
		read, write int    // statuses
		code        string // of the write
	}{
		{"not found", user.ErrNotFound, 404, 404, "user_not_found"},
		{"exists", user.ErrExists, 409, 409, "user_exists"},
		{"unavailable", register.ErrUnavailable, 503, 503, "unavailable"},
		{"no space", register.ErrNoSpace, 507, 507, "no_space"},
		{"unknown", register.ErrUnknown, 504, 504, "outcome_unknown"},
		{"unknown outweighs unavailable", errors.Join(register.ErrUnavailable, register.ErrUnknown), 504, 504, "outcome_unknown"},
		{"unavailable by a deadline", errors.Join(context.DeadlineExceeded, register.ErrUnavailable), 503, 503, "unavailable"},
		{"deadline", context.DeadlineExceeded, 503, 504, "outcome_unknown"},
		{"cancelled", context.Canceled, 503, 504, "outcome_unknown"},
		{"a bug", errSecret, 500, 500, "internal"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wrapped := fmt.Errorf("coordinator: %w", c.err)
			users := mocks.NewUsers(t)
			users.EXPECT().Read(mock.Anything, "ada").Return(nil, wrapped).Once()
			users.EXPECT().Change(mock.Anything, "ada", mock.Anything).Return(nil, wrapped).Once()
			users.EXPECT().Remove(mock.Anything, "ada", mock.Anything).Return(wrapped).Once()

			var logged bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&logged, nil))
			for _, method := range []string{"PUT", "DELETE"} {
				reply := call(t, users, logger, method)
				require.NoError(t, verify(reply, c.write, c.code))
				requireRetryAfter(t, reply)
			}
			reply := call(t, users, logger, "GET")
			require.Equal(t, c.read, reply.Code)
			requireRetryAfter(t, reply)

			require.Equal(t, c.write == 500, strings.Contains(logged.String(), errSecret.Error()), "bugs are logged, and nothing else")
			require.Equal(t, c.write == 500, logged.Len() > 0)
		})
	}
}

func requireRetryAfter(t *testing.T, reply *httptest.ResponseRecorder) {
	t.Helper()
	want := ""
	if reply.Code == http.StatusServiceUnavailable {
		want = "1"
	}
	require.Equal(t, want, reply.Header().Get("Retry-After"))
}

func TestInternalErrorsTellNothing(t *testing.T) {
	users := mocks.NewUsers(t)
	users.EXPECT().Read(mock.Anything, "ada").Return(nil, errSecret).Once()
	requireSilence(t, call(t, users, silent(), "GET"))
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	users := mocks.NewUsers(t)
	users.EXPECT().Read(mock.Anything, "ada").
		RunAndReturn(func(context.Context, string) ([]byte, error) { panic(errSecret) }).Once()
	var logged bytes.Buffer
	requireSilence(t, call(t, users, slog.New(slog.NewJSONHandler(&logged, nil)), "GET"))

	var line map[string]any
	require.NoError(t, json.Unmarshal(logged.Bytes(), &line), logged.String())
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, errSecret.Error(), line["panic"])
	require.Equal(t, "/api/users/:id", line["route"])
	require.Contains(t, line["stack"], "problem_test.go")
}

// requireSilence wants a whole 500 that tells nothing of its cause.
func requireSilence(t *testing.T, reply *httptest.ResponseRecorder) {
	t.Helper()
	require.NotContains(t, reply.Body.String(), "secret")
	require.NoError(t, verify(reply, http.StatusInternalServerError, "internal"))
}

func TestAbortIsPassedOn(t *testing.T) {
	users := mocks.NewUsers(t)
	users.EXPECT().Read(mock.Anything, "ada").
		RunAndReturn(func(context.Context, string) ([]byte, error) { panic(http.ErrAbortHandler) }).Once()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { call(t, users, silent(), "GET") })
}

// brittle panics when the body is written, after the header.
type brittle struct{ *httptest.ResponseRecorder }

func (brittle) Write([]byte) (int, error) { panic(errSecret) }

func TestPanicInAReplyBreaksTheConnection(t *testing.T) {
	users := mocks.NewUsers(t)
	users.EXPECT().Read(mock.Anything, "ada").Return([]byte(ada), nil).Once()
	handler := api.New(users, rules(t), silent())
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/api/users/ada", nil)
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { handler.ServeHTTP(brittle{httptest.NewRecorder()}, request) })
}

func TestWriteProblem(t *testing.T) {
	for status, code := range map[int]string{
		400: "malformed", 404: "not_found", 405: "method_not_allowed", 409: "conflict", 413: "too_large",
		415: "unsupported_media_type", 422: "invalid", 429: "other", 500: "internal", 503: "unavailable", 504: "outcome_unknown",
	} {
		recorder := httptest.NewRecorder()
		if status == http.StatusMethodNotAllowed {
			recorder.Header().Set("Allow", "GET")
		}
		api.WriteProblem(recorder, status, "Do \"this\" <next>\xff.")
		require.Contains(t, recorder.Body.String(), `"detail":"Do \"this\" <next>`+"\ufffd"+`."`)
		require.NoError(t, verify(recorder, status, code))
		requireRetryAfter(t, recorder)
	}
}
