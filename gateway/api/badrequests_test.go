package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/gateway/api/mocks"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/tests/badrequests"
)

// TestBadRequests runs the table. Only requests whose reply depends on what is
// stored (404, 409) may reach Users at all, and then their change must refuse.
func TestBadRequests(t *testing.T) {
	cases := badrequests.Cases()
	require.GreaterOrEqual(t, len(cases), 60)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			users := mocks.NewUsers(t)
			if c.Status == http.StatusNotFound || c.Status == http.StatusConflict {
				holdAda(t, users)
			}
			server := httptest.NewServer(api.New(users, rules(t), silent()))
			defer server.Close()

			request, err := c.Request(t.Context(), server.URL)
			require.NoError(t, err)
			reply, err := server.Client().Do(request)
			require.NoError(t, err)
			defer reply.Body.Close()
			body, err := io.ReadAll(reply.Body)
			require.NoError(t, err)
			require.NoError(t, c.Verify(reply.StatusCode, reply.Header, body))
		})
	}
}

// TestBadRequestNames: a name of the table is the name of a test.
func TestBadRequestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range badrequests.Cases() {
		require.False(t, seen[c.Name], "%q is there twice", c.Name)
		seen[c.Name] = true
	}
}

// holdAda lets users hold the one stored user; a change that does not refuse is
// a failure.
func holdAda(t *testing.T, users *mocks.Users) {
	stored := map[string][]byte{"ada": []byte(badrequests.Stored)}
	users.EXPECT().Read(mock.Anything, mock.Anything).
		RunAndReturn(func(_ context.Context, id string) ([]byte, error) { return stored[id], nil }).Maybe()
	run := func(_ context.Context, id string, change register.Change) ([]byte, error) {
		doc, err := change(stored[id])
		if err == nil {
			t.Errorf("a bad request changed %q to %q", id, doc)
		}
		return doc, err
	}
	users.EXPECT().Change(mock.Anything, mock.Anything, mock.Anything).RunAndReturn(run).Maybe()
	users.EXPECT().Remove(mock.Anything, mock.Anything, mock.Anything).
		RunAndReturn(func(ctx context.Context, id string, change register.Change) error {
			_, err := run(ctx, id, change)
			return err
		}).Maybe()
}
