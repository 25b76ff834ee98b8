package repair

import (
	"context"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

// exchange sends all requests to one node and returns their replies, in order.
// The nodes answer each within the deadline, if only by VerdictLost.
func exchange(ctx context.Context, nodes drive.Nodes, node int, requests []register.Request) ([]register.Reply, error) {
	type answer struct {
		i     int
		reply register.Reply
	}
	deadline := time.Now().Add(batchTimeout)
	answers := make(chan answer, len(requests))
	for i, q := range requests {
		nodes.Send(node, q, deadline, func(r register.Reply) { answers <- answer{i, r} })
	}
	replies := make([]register.Reply, len(requests))
	for range requests {
		select {
		case a := <-answers:
			replies[a.i] = a.reply
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return replies, nil
}
