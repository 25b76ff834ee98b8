package drive

import (
	"sync/atomic"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
)

// Hedge says how long an answer may take before the third acceptor is asked: a
// few times what answers usually take, within bounds.
type Hedge struct {
	Least, Most time.Duration
}

// DefaultHedge is for nodes in one data centre.
func DefaultHedge() Hedge { return Hedge{Least: 10 * time.Millisecond, Most: 60 * time.Millisecond} }

// hedgeFactor is how many times the usual latency is late.
const hedgeFactor = 4

// latencies are moving averages of the nodes' answers, in microseconds.
//
// Invariant: one node alone can't move the hedge, however slow or fast it is,
// since the hedge follows the median of three.
type latencies struct {
	hedge Hedge
	nodes [placement.Nodes]atomic.Int64
}

// observe takes in how long a node took. Two calls at once may lose one of them.
func (l *latencies) observe(node int, took time.Duration) {
	const weight = 16
	old := l.nodes[node].Load()
	l.nodes[node].Store(old + (took.Microseconds()-old)/weight)
}

// late returns how long an answer may take.
func (l *latencies) late() time.Duration {
	a, b, c := l.nodes[0].Load(), l.nodes[1].Load(), l.nodes[2].Load()
	median := max(min(a, b), min(max(a, b), c))
	return min(max(hedgeFactor*time.Duration(median)*time.Microsecond, l.hedge.Least), l.hedge.Most)
}
