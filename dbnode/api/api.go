// Package api is a node's HTTP side: frames from gateways and peers, health and
// operations.
//
// Invariants: a frame for another node, or of a cluster with other partitions,
// is refused before anything in it is looked at; the messages being worked on
// are bounded, and so are bodies.
package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// maxInFlight bounds the messages that are being served at once; more are
// refused with 503. With it the store's queue is bounded.
const maxInFlight = 32 << 10

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

type handler struct {
	Config
	inFlight atomic.Int64
}

// New returns the node's HTTP handler.
func New(cfg Config) http.Handler {
	h := &handler{Config: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathFrame, h.frame)
	mux.HandleFunc("POST "+wire.PathHello, h.hello)
	mux.HandleFunc("GET "+wire.PathDigest, h.digest)
	mux.HandleFunc("GET "+wire.PathPage, h.page)
	mux.HandleFunc("POST "+wire.PathCompact, h.compact)
	mux.HandleFunc("GET "+wire.PathRecords, h.records)
	mux.HandleFunc("GET "+wire.PathStatus, h.status)
	mux.HandleFunc("GET "+wire.PathLive, func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "live") })
	mux.HandleFunc("GET "+wire.PathReady, h.ready)
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a client that is gone needs no answer
}

func (h *handler) frame(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	frame, err := wire.DecodeRequests(body)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	if why := h.mismatch(r.Context(), frame.To, frame.Partitions); why != "" {
		plain(w, http.StatusConflict, why)
		return
	}
	n := int64(len(frame.Requests))
	if h.inFlight.Add(n) > maxInFlight {
		h.inFlight.Add(-n)
		plain(w, http.StatusServiceUnavailable, "too many messages under way")
		return
	}
	defer h.inFlight.Add(-n)
	served := make(chan []register.Reply, 1)
	h.Acceptors.Serve(frame.Requests, func(replies []register.Reply) { served <- replies })
	replies := <-served
	if replies == nil {
		plain(w, http.StatusServiceUnavailable, "the node is stopping")
		return
	}
	h.answerBytes(w, wire.AppendReplies(make([]byte, 0, 64*len(replies)), replies))
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > wire.MaxFrameBytes {
		return nil, errors.New("a frame needs a Content-Length of at most 8 MiB")
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(http.MaxBytesReader(w, r.Body, wire.MaxFrameBytes), body)
	return body, err
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	s, err := h.Operator.Status()
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	h.answerJSON(r.Context(), w, s)
}

func (h *handler) compact(w http.ResponseWriter, _ *http.Request) {
	if err := h.Operator.Compact(); err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	plain(w, http.StatusOK, "compacted")
}

// records answers with one page, whole: its length is announced.
func (h *handler) records(w http.ResponseWriter, r *http.Request) {
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

func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	text, ready := wire.ReadyText(h.Operator.Ready(), r.URL.Query().Has("verbose"))
	if !ready {
		plain(w, http.StatusServiceUnavailable, text)
		return
	}
	plain(w, http.StatusOK, text)
}
