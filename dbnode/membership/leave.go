package membership

import (
	"context"
	"errors"
	"fmt"
)

// ErrDamagedDisk says that the node's disk can't be read in full, and that both
// peers can do without it. It must be set aside, and the node started on a blank
// one.
var ErrDamagedDisk = errors.New("this disk is damaged, and both other nodes can vote without it")

// Leave asks whether this node may give up its disk: both peers must be able to
// vote. From before it asks until it returned false, this node tells its peers
// that it can't vote itself. So of two nodes that ask at the same time one at
// least hears of the other, and two disks are never given up at once. The error
// says what stands in the way.
func (m *Member) Leave(ctx context.Context) (bool, error) {
	m.admission.Leave(true)
	answers, err := m.show(ctx)
	if err == nil {
		err = allVote(answers)
	}
	if err != nil {
		m.admission.Leave(false)
		return false, err
	}
	return true, nil
}

func allVote(answers []Answer) error {
	for _, a := range answers {
		if a.Err != nil {
			return fmt.Errorf("the damaged disk is kept while node %d does not answer: %w", a.Node, a.Err)
		}
		if !a.Welcome.Voting {
			return fmt.Errorf("the damaged disk is kept while node %d can't vote", a.Node)
		}
	}
	return nil
}
