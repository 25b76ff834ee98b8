// Package api is the gateway's public HTTP service: it turns a request into a
// read or a change of one user, and what comes of it into a reply.
//
//	POST   /api/users       creates; 201
//	GET    /api/users/{id}  reads; 200 (HEAD too)
//	PUT    /api/users       changes the fields given, id in the body; 200
//	PUT    /api/users/{id}  the same; an id in the body must be the same
//	DELETE /api/users/{id}  removes; 204
//
// Invariants:
//   - A path with and without a trailing slash is the same path; nothing
//     redirects.
//   - Every reply that is not 2xx is an application/problem+json of one shape,
//     and its status comes from one table (problem.go).
//   - Only a request that passed every check reaches Users.
//   - A refusal reaches its client even if that sends its whole body first, up to
//     some bound.
//   - A change, once begun, does not end with its client: the context that
//     Users gets for it is never cancelled. Users bounds it.
//   - A reply "unavailable" (503) or "no space" (507) means not applied; one of
//     unknown outcome is 504.
//
// Gin is a detail of this package.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
)

// Users reads and changes one record by its id; each id is a linearizable
// register.
type Users interface {
	// Read returns the stored document of id, nil when there is none. Errors:
	// register.ErrUnavailable, and the context's.
	Read(ctx context.Context, id string) (doc []byte, err error)
	// Change applies change to the record of id and returns the new document.
	// It ends by itself: ctx is never cancelled. Errors, possibly wrapped: the
	// refusal that change returned, register.ErrUnavailable and
	// register.ErrNoSpace (not applied), register.ErrUnknown (perhaps applied).
	Change(ctx context.Context, id string, change register.Change) (doc []byte, err error)
	// Remove is Change for a change that deletes; it needs no room.
	Remove(ctx context.Context, id string, change register.Change) error
}

// handler serves the users; safe for concurrent use.
type handler struct {
	users  Users
	rules  *user.Validator
	logger *slog.Logger
}

// New returns the service of everything below /api/. It logs bugs only: panics
// and errors that are in no row of the table.
//
// Hand it the path as it came: http.ServeMux redirects a path such as
// /api//users before it looks for a handler.
func New(users Users, rules *user.Validator, logger *slog.Logger) http.Handler {
	gin.SetMode(gin.ReleaseMode) // process-wide, and always this
	engine := gin.New()
	engine.RedirectTrailingSlash = false // would answer 307 instead of serving
	engine.HandleMethodNotAllowed = true
	engine.UseEscapedPath = true // an id with %2F in it is a bad id, not a longer path
	engine.ForwardedByClientIP = false
	_ = engine.SetTrustedProxies(nil) // no proxy to parse, so nothing to fail

	h := &handler{users: users, rules: rules, logger: logger}
	engine.Use(h.recovered)
	engine.NoRoute(func(c *gin.Context) { h.fail(c, errNoSuchPath) })
	engine.NoMethod(func(c *gin.Context) { h.fail(c, errMethodNotAllowed) })
	engine.POST("/api/users", h.create)
	engine.PUT("/api/users", h.update)
	engine.GET("/api/users/:id", h.read)
	engine.HEAD("/api/users/:id", h.read)
	engine.PUT("/api/users/:id", h.update)
	engine.DELETE("/api/users/:id", h.remove)
	return drained(withoutTrailingSlash(engine))
}

// withoutTrailingSlash serves /path/ as /path. One slash: a path that ends in
// two names nothing.
func withoutTrailingSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.EscapedPath(), "/") { // a %2F at the end is part of the id
			request, url := *r, *r.URL // a handler must not modify what it was given
			url.Path = strings.TrimSuffix(url.Path, "/")
			url.RawPath = strings.TrimSuffix(url.RawPath, "/")
			request.URL = &url
			r = &request
		}
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into a logged 500. Where the reply has begun, it
// breaks the connection, so that half a reply does not pass for a whole one.
func (h *handler) recovered(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(cause)
		}
		h.logger.LogAttrs(c.Request.Context(), slog.LevelError, "panic while serving a request",
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()),
			slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
		c.Abort()
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		WriteProblem(c.Writer, http.StatusInternalServerError, detailInternal)
	}()
	c.Next()
}

// fail answers with the problem that err is.
func (h *handler) fail(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		h.logger.LogAttrs(c.Request.Context(), slog.LevelError, "request failed for a reason that no reply covers",
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Any("error", err))
	}
	p.write(c.Writer)
}
