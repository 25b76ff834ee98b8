package dbnode

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
)

// helloEvery is how often an admitted node shows its life to its peers.
const helloEvery = time.Second

// memberWorker says hello often until the node is admitted, and every second
// after; it ends the node when its disk must be set aside.
type memberWorker struct {
	member   *membership.Member
	admitted func() bool
	fail     context.CancelCauseFunc
	last     time.Time
	waits    atomic.Pointer[string] // what the last step waited for
}

// why returns what the node waits for before it is admitted, if that is known.
func (w *memberWorker) why() string {
	if text := w.waits.Load(); text != nil {
		return *text
	}
	return ""
}

// Step satisfies service.Worker.
func (w *memberWorker) Step(ctx context.Context) (busy bool, err error) {
	if w.admitted() && time.Since(w.last) < helloEvery {
		return false, nil
	}
	w.last = time.Now()
	busy, err = w.member.Step(ctx)
	if errors.Is(err, membership.ErrLostDisk) {
		w.fail(err)
	}
	if err != nil {
		text := err.Error()
		w.waits.Store(&text)
	}
	return busy, err
}
