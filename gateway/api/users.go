package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/user"
)

// typeUser is the media type of a user.
const typeUser = "application/json; charset=utf-8"

func (h *handler) create(c *gin.Context) {
	patch, err := decodeBody(c)
	if err != nil {
		h.fail(c, err)
		return
	}
	if patch.ID == nil {
		made, err := uuid.NewV7()
		if err != nil {
			h.fail(c, fmt.Errorf("make an id: %w", err))
			return
		}
		id := made.String()
		patch.ID = &id
	}
	u, err := h.rules.New(patch)
	if err != nil {
		h.fail(c, err)
		return
	}
	doc, err := h.users.Change(outliving(c), u.ID, user.Create(u))
	if err != nil {
		h.fail(c, err)
		return
	}
	c.Writer.Header().Set("Location", "/api/users/"+u.ID)
	writeBody(c.Writer, http.StatusCreated, typeUser, doc)
}

func (h *handler) read(c *gin.Context) {
	id, err := h.pathID(c)
	if err != nil {
		h.fail(c, err)
		return
	}
	doc, err := h.users.Read(c.Request.Context(), id)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		err = fmt.Errorf("%w: %w", register.ErrUnavailable, err) // a read leaves nothing unknown behind
	case err == nil && doc == nil:
		err = user.ErrNotFound
	}
	if err != nil {
		h.fail(c, err)
		return
	}
	writeBody(c.Writer, http.StatusOK, typeUser, doc)
}

func (h *handler) update(c *gin.Context) {
	var pathID *string
	if c.Param("id") != "" {
		id, err := h.pathID(c)
		if err != nil {
			h.fail(c, err)
			return
		}
		pathID = &id
	}
	patch, err := decodeBody(c)
	if err != nil {
		h.fail(c, err)
		return
	}
	patch, err = h.checkPatch(pathID, patch)
	if err != nil {
		h.fail(c, err)
		return
	}
	doc, err := h.users.Change(outliving(c), *patch.ID, user.Update(patch))
	if err != nil {
		h.fail(c, err)
		return
	}
	writeBody(c.Writer, http.StatusOK, typeUser, doc)
}

func (h *handler) remove(c *gin.Context) {
	id, err := h.pathID(c)
	if err != nil {
		h.fail(c, err)
		return
	}
	if err := h.users.Remove(outliving(c), id, user.Delete()); err != nil {
		h.fail(c, err)
		return
	}
	setCommon(c.Writer.Header())
	c.Writer.WriteHeader(http.StatusNoContent)
}

// outliving is the context of a change, which outlives its client.
func outliving(c *gin.Context) context.Context { return context.WithoutCancel(c.Request.Context()) }

// pathID returns the id in the path. Gin has unescaped it, + to a space: a bad
// id either way.
func (h *handler) pathID(c *gin.Context) (string, error) {
	id := c.Param("id")
	if !h.rules.ValidID(id) {
		return "", errPathID
	}
	return id, nil
}

// checkPatch checks patch, whose id may also be in the path (pathID, valid; nil
// if it is not). Where both are given they must agree.
func (h *handler) checkPatch(pathID *string, patch user.Patch) (user.Patch, error) {
	mismatch := pathID != nil && patch.ID != nil && *patch.ID != *pathID
	if pathID != nil {
		patch.ID = pathID
	}
	checked, err := h.rules.Patch(patch)
	if !mismatch {
		return checked, err
	}
	fields := []user.FieldError{{
		Pointer: "/id", Code: user.CodeMismatch,
		Detail: "must be the id in the path, or be left out",
	}}
	if invalid, ok := errors.AsType[*user.InvalidError](err); ok {
		fields = append(fields, invalid.Fields...)
	}
	return user.Patch{}, &user.InvalidError{Fields: fields}
}

// writeBody answers with a body whose length is announced.
func writeBody(w http.ResponseWriter, status int, mediaType string, body []byte) {
	header := w.Header()
	setCommon(header)
	header.Set("Content-Type", mediaType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails when the client is gone: nobody is left to tell
}

// setCommon sets what every reply carries.
func setCommon(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
}
