package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/dyad-db/dyad/gateway/api"
	"github.com/dyad-db/dyad/pkg/user"
)

// discard is a client that reads nothing.
type discard struct{ header http.Header }

// Header satisfies http.ResponseWriter.
func (d discard) Header() http.Header { return d.header }

// Write satisfies http.ResponseWriter.
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader satisfies http.ResponseWriter.
func (d discard) WriteHeader(int) {}

// BenchmarkRequest is what a request costs beside the server's work and the nodes'.
func BenchmarkRequest(b *testing.B) {
	rules, err := user.NewValidator()
	if err != nil {
		b.Fatal(err)
	}
	doc := []byte(`{"id":"ada","name":"Ada Lovelace","email":"ada@example.org","group":1}`)
	users := stored{}
	h := api.New(users, rules, slog.New(slog.DiscardHandler))
	for _, c := range []struct{ name, method, path, body string }{
		{"read", http.MethodGet, "/api/users/ada", ""},
		{"create", http.MethodPost, "/api/users/", `{"id":"eve","name":"Eve Adams","email":"eve@example.org","group":2}`},
		{"update", http.MethodPut, "/api/users/", `{"id":"ada","name":"Ada King"}`},
		{"delete", http.MethodDelete, "/api/users/ada", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), c.method, "http://localhost"+c.path, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(c.body))
			b.ReportAllocs()
			for b.Loop() {
				users["ada"] = doc
				delete(users, "eve")
				r.Body = io.NopCloser(strings.NewReader(c.body))
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
