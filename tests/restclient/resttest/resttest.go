// Package resttest stands in for the gateway where a test of the test tools
// needs one: the users API in memory, with faults to plant. It promises nothing
// about the real gateway.
package resttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/dyad-db/dyad/tests/history"
)

// Gateway is the users API over a map. Set the faults before its first request.
type Gateway struct {
	// Intercept sees each request first; true means that it has answered.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
	// Distort changes a user on its way into an answer.
	Distort func(r *http.Request, u history.User) history.User

	mu    sync.Mutex
	users map[string]history.User
}

// Start serves an empty Gateway until the test ends, and returns its URL.
func Start(tb testing.TB, g *Gateway) string {
	tb.Helper()
	g.users = map[string]history.User{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/users/{$}", g.create)
	mux.HandleFunc("GET /api/users/{id}", g.get)
	mux.HandleFunc("PUT /api/users/{id}", g.update)
	mux.HandleFunc("DELETE /api/users/{id}", g.remove)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.Intercept == nil || !g.Intercept(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// Put stores u behind the API's back.
func (g *Gateway) Put(u history.User) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users[u.ID] = u
}

// Len returns how many users there are.
func (g *Gateway) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.users)
}

// Refuse answers an error.
func Refuse(w http.ResponseWriter, status int) {
	reply(w, status, "application/problem+json", map[string]any{"title": http.StatusText(status), "status": status})
}

func (g *Gateway) create(w http.ResponseWriter, r *http.Request) {
	var u history.User
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
		Refuse(w, http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.users[u.ID]; taken {
		Refuse(w, http.StatusConflict)
		return
	}
	g.store(w, r, u, http.StatusCreated)
}

func (g *Gateway) get(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u, ok := g.users[r.PathValue("id")]
	if !ok {
		Refuse(w, http.StatusNotFound)
		return
	}
	g.answer(w, r, u, http.StatusOK)
}

func (g *Gateway) update(w http.ResponseWriter, r *http.Request) {
	var p history.Patch
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		Refuse(w, http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	u, ok := g.users[r.PathValue("id")]
	if !ok {
		Refuse(w, http.StatusNotFound)
		return
	}
	g.store(w, r, p.Apply(u), http.StatusOK)
}

func (g *Gateway) remove(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.users[r.PathValue("id")]; !ok {
		Refuse(w, http.StatusNotFound)
		return
	}
	delete(g.users, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

func (g *Gateway) store(w http.ResponseWriter, r *http.Request, u history.User, status int) {
	u.Name = norm.NFC.String(u.Name)
	g.users[u.ID] = u
	g.answer(w, r, u, status)
}

func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, u history.User, status int) {
	if g.Distort != nil {
		u = g.Distort(r, u)
	}
	reply(w, status, "application/json", u)
}

func reply(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
