package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// maxHello bounds the body of a hello, in bytes.
const maxHello = 4 << 10

// Peer answers the other nodes.
type Peer interface {
	// Hello records the life that another node shows.
	Hello(h wire.Hello) (wire.Welcome, error)
	// Digest sums up what is held of a partition.
	Digest(partition uint16) (digest.Tree, error)
	// Page returns records of a partition, within the bounds of a page.
	Page(partition uint16, after string) (records []register.Hint, more bool, err error)
}

func (h *Handler) hello(w http.ResponseWriter, r *http.Request) {
	var hello wire.Hello
	if err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, maxHello), &hello); err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	if why := h.mismatch(r.Context(), hello.To, hello.Partitions); why != "" {
		plain(w, http.StatusConflict, why)
		return
	}
	welcome, err := h.Peer.Hello(hello)
	if err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	h.answerJSON(r.Context(), w, welcome)
}

// mismatch says why what was meant for another node, or another cluster, is
// refused; empty if it was meant for this one.
func (h *Handler) mismatch(ctx context.Context, to string, partitions int) string {
	if to == h.NodeID && partitions == h.Partitions {
		return ""
	}
	why := fmt.Sprintf("this is %s of a cluster with %d partitions; the message is for %s with %d: check --nodes and --partitions",
		h.NodeID, h.Partitions, to, partitions)
	h.Logger.WarnContext(ctx, "message refused", slog.String("reason", why))
	return why
}

func (h *Handler) digest(w http.ResponseWriter, r *http.Request) {
	q, err := wire.ParsePartitionQuery(r.URL.Query(), h.Partitions)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	tree, err := h.Peer.Digest(q.Partition)
	if err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	h.answerBytes(w, tree.Append(nil))
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	q, err := wire.ParsePartitionQuery(r.URL.Query(), h.Partitions)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	records, more, err := h.Peer.Page(q.Partition, q.After)
	if err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	h.answerBytes(w, wire.AppendPage(nil, records, more))
}

func (h *Handler) answerBytes(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", wire.BinaryType)
	_, _ = w.Write(b) // a peer that is gone needs no answer
}

func (h *Handler) answerJSON(ctx context.Context, w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.MarshalWrite(w, v); err != nil {
		h.Logger.DebugContext(ctx, "answer not delivered", slog.Any("error", err))
	}
}
