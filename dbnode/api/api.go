// Package api is a node's side of the wire: streams of frames from gateways and
// peers, and HTTP for health and operations.
//
// Invariants: a stream for another node, or of a cluster with other partitions,
// is refused before any frame; streams are bounded, and so are the frames that
// are being worked on, and bodies.
package api

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// Acceptors answers protocol requests; *replica.Replica does.
type Acceptors interface {
	Serve(requests []register.Request, done func([]register.Reply))
}

// Operator answers for the node as a whole.
type Operator interface {
	Status() (wire.NodeStatus, error)
	Compact() error
	// Records lists what a partition holds durably, in key order, after a key.
	Records(q wire.RecordsQuery) ([]wire.RecordLine, error)
	// Ready returns what must be so for the node to serve.
	Ready() []wire.Check
}

// Config of the handler.
type Config struct {
	NodeID     string
	Partitions int
	Acceptors  Acceptors
	Operator   Operator
	Peer       Peer
	Logger     *slog.Logger
}

// Handler serves a node's port. What it was asked to turn over to frames, the
// server knows nothing of any more: the streams are ended with Farewell, Wait
// and Close.
type Handler struct {
	Config
	mux     *http.ServeMux
	streams streams
}

// New returns the node's handler.
func New(cfg Config) *Handler {
	mux := http.NewServeMux()
	h := &Handler{Config: cfg, mux: mux, streams: streams{open: map[*stream]bool{}}}
	h.streams.closed.L = &h.streams.mu
	mux.HandleFunc("GET "+wire.PathStream, h.stream)
	mux.HandleFunc("POST "+wire.PathHello, h.hello)
	mux.HandleFunc("GET "+wire.PathDigest, h.digest)
	mux.HandleFunc("GET "+wire.PathPage, h.page)
	mux.HandleFunc("POST "+wire.PathCompact, h.compact)
	mux.HandleFunc("GET "+wire.PathRecords, h.records)
	mux.HandleFunc("GET "+wire.PathStatus, h.status)
	mux.HandleFunc("GET "+wire.PathLive, func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "live") })
	mux.HandleFunc("GET "+wire.PathReady, h.ready)
	return h
}

// ServeHTTP satisfies http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a client that is gone needs no answer
}

func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	s, err := h.Operator.Status()
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	h.answerJSON(r.Context(), w, s)
}

func (h *Handler) compact(w http.ResponseWriter, _ *http.Request) {
	if err := h.Operator.Compact(); err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	plain(w, http.StatusOK, "compacted")
}

// records answers with one page, whole: its length is announced.
func (h *Handler) records(w http.ResponseWriter, r *http.Request) {
	q, err := wire.ParseRecordsQuery(r.URL.Query(), h.Partitions)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	lines, err := h.Operator.Records(q)
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	page, err := wire.AppendRecordLines(nil, lines)
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", wire.RecordsType)
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page)
}

func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	text, ready := wire.ReadyText(h.Operator.Ready(), r.URL.Query().Has("verbose"))
	if !ready {
		plain(w, http.StatusServiceUnavailable, text)
		return
	}
	plain(w, http.StatusOK, text)
}
