package dbnode

import (
	"context"
	"fmt"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
)

// leaveIdle is how long a node with a damaged disk waits before it asks its peers
// again whether they can do without it.
const leaveIdle = time.Second

// leaveWorker ends a node whose disk can't be read in full, once both peers can
// vote. Until then it serves what it can. A write that fails ends it in any case;
// if that was for a damaged table, the next start comes across it.
type leaveWorker struct {
	lost   func() error
	member *membership.Member
	fail   context.CancelCauseFunc
}

// Step satisfies service.Worker.
func (w *leaveWorker) Step(ctx context.Context) (busy bool, err error) {
	lost := w.lost()
	if lost == nil {
		return false, nil
	}
	may, err := w.member.Leave(ctx)
	if may {
		w.fail(fmt.Errorf("%w: %w", membership.ErrDamagedDisk, lost))
	}
	return false, err
}
