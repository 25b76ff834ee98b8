package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
)

// stored is the users of a map.
type stored map[string][]byte

func (s stored) Read(_ context.Context, id string) ([]byte, error) { return s[id], nil }

func (s stored) Change(_ context.Context, id string, change register.Change) ([]byte, error) {
	doc, err := change(s[id])
	if err == nil {
		s[id] = doc
	}
	return doc, err
}

func (s stored) Remove(_ context.Context, id string, change register.Change) error {
	_, err := change(s[id])
	if err == nil {
		delete(s, id)
	}
	return err
}

// FuzzRequest sends any request to the users: it is never an error of ours, what is
// refused is refused in words and changes nothing, and what is done can be read.
func FuzzRequest(f *testing.F) {
	for _, c := range [][4]string{
		{"POST", "/api/users/", "application/json", ada},
		{"POST", "/api/users", "application/json; charset=UTF-8", `{"name":"A","email":"a@b.example","group":0}`},
		{"PUT", "/api/users/", "application/json", `{"id":"bob","group":1}`},
		{"PUT", "/api/users/bob/", "application/json", `{"id":"b","name":"\u0000"}`},
		{"GET", "/api/users/bob", "", ""},
		{"DELETE", "/api/users/bo%62?x", "", ""},
		{"PATCH", "/api/users/%2F", "text/plain", "\xff"},
	} {
		f.Add(c[0], c[1], c[2], c[3])
	}
	rules, err := user.NewValidator()
	require.NoError(f, err)
	const bob = `{"id":"bob","name":"Bob","email":"bob@example.com","group":1}`
	f.Fuzz(func(t *testing.T, method, path, contentType, body string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://host/", strings.NewReader(body))
		if err != nil {
			return
		}
		if request.URL, err = request.URL.Parse(path); err != nil || !strings.HasPrefix(request.URL.Path, "/") {
			return // net/http answers that
		}
		request.Header.Set("Content-Type", contentType)
		users := stored{"bob": []byte(bob)}
		handler := api.New(users, rules, silent())
		reply := httptest.NewRecorder()
		handler.ServeHTTP(reply, request)
		text := reply.Body.String()
		require.Less(t, reply.Code, 500, text)
		if reply.Code >= 400 {
			require.Equal(t, stored{"bob": []byte(bob)}, users)
			var problem struct {
				Status int
				Detail string
				Errors []struct{ Code, Detail string }
			}
			require.NoError(t, json.Unmarshal([]byte(text), &problem), "%s", text)
			require.Equal(t, reply.Code, problem.Status)
			require.NotEmpty(t, problem.Detail)
			require.NotEmpty(t, problem.Errors)
			return
		}
		require.Contains(t, []int{http.StatusOK, http.StatusCreated, http.StatusNoContent}, reply.Code)
		for id, doc := range users {
			again := httptest.NewRecorder()
			handler.ServeHTTP(again, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/users/"+id, http.NoBody))
			require.Equal(t, http.StatusOK, again.Code)
			require.Equal(t, string(doc), again.Body.String())
		}
	})
}
