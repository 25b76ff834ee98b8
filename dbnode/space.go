package dbnode

import (
	"context"
	"log/slog"

	"github.com/dyad-db/dyad/dbnode/store"
)

// The reserve is the space that is kept free for what a full node must still
// write: tombstones and state, what it promised room for, answers that need a
// repair, the flushes and compactions of the store. In bytes; the least is what
// the store may need at once for all its write buffers, their logs and a
// compaction.
const (
	leastReserve  = 64 << 20
	mostReserve   = 256 << 20
	reserveOfDisk = 20 // one part in so many
)

// reserve returns how much of a medium of that size is kept free.
func reserve(total int64) int64 { return min(max(total/reserveOfDisk, leastReserve), mostReserve) }

// tooFull reports whether data may not grow. A node that is read-only goes on
// when there is a quarter of the reserve to spare, so that it does not flap.
func tooFull(s store.Space, readOnly bool) bool {
	if s.Total == 0 {
		return false
	}
	needed := reserve(s.Total)
	if readOnly {
		needed += needed / 4
	}
	return s.Free < needed
}

// spaceWorker turns the node read-only when its disk is nearly full, and back
// when there is room again.
type spaceWorker struct {
	node  string
	store interface {
		Space() (store.Space, error)
	}
	replica interface {
		ReadOnly() bool
		SetReadOnly(readOnly bool)
	}
	logger *slog.Logger
}

// Step satisfies service.Worker. When the space can't be told, the last answer
// stands.
func (w *spaceWorker) Step(context.Context) (busy bool, err error) {
	space, err := w.store.Space()
	if err != nil {
		return false, err
	}
	was := w.replica.ReadOnly()
	full := tooFull(space, was)
	w.replica.SetReadOnly(full)
	attrs := []any{slog.String("node", w.node), slog.Int64("free_bytes", space.Free), slog.Int64("reserve_bytes", reserve(space.Total))}
	switch {
	case full && !was:
		w.logger.Error("the disk is nearly full: read-only until there is room; free some space", attrs...)
	case !full && was:
		w.logger.Info("the disk has room again: no longer read-only", attrs...)
	}
	return false, nil
}
