package drive_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is three real acceptors, one for each node of a cluster with one
// partition, so that the node's number is its seat. Answers take what the test
// says, on the fake clock of a synctest bubble.
type network struct {
	mu        sync.Mutex
	start     time.Time
	acceptors [placement.Nodes]*register.Acceptor
	records   [placement.Nodes]map[string]register.Record
	down      [placement.Nodes]bool
	// behave decides what becomes of a request; the zero fate is an answer at once.
	behave func(node int, q register.Request) fate
	log    []string
}

// fate is what becomes of one request.
type fate struct {
	after   time.Duration    // until the answer comes
	silent  bool             // it never comes
	instead register.Verdict // it comes, but the request was not taken
}

func newNetwork() *network {
	n := &network{start: time.Now(), behave: func(int, register.Request) fate { return fate{} }}
	for i := range n.acceptors {
		n.acceptors[i] = register.NewAcceptor(i, register.Durable{}, register.Group{}, uint64(i+1))
		n.records[i] = map[string]register.Record{}
	}
	return n
}

// Send satisfies drive.Nodes.
func (n *network) Send(node int, q register.Request, _ time.Time, reply func(register.Reply)) {
	n.mu.Lock()
	f := n.behave(node, q)
	n.log = append(n.log, fmt.Sprintf("%v %s n%d", time.Since(n.start), q.Kind, node))
	n.mu.Unlock()
	switch {
	case f.silent:
	case f.after == 0:
		reply(n.take(node, q, f))
	default:
		time.AfterFunc(f.after, func() { reply(n.take(node, q, f)) })
	}
}

func (n *network) take(node int, q register.Request, f fate) register.Reply {
	if f.instead != 0 {
		return register.Reply{Verdict: f.instead}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	reply, effects := n.acceptors[node].Step(time.Now().UnixMicro(), q, n.records[node][q.Key])
	if effects.Put {
		n.records[node][q.Key] = q.Record
	}
	return reply
}

// SendLazy satisfies drive.Nodes.
func (n *network) SendLazy(node int, q register.Request) { n.take(node, q, fate{}) }

// Up satisfies drive.Nodes.
func (n *network) Up(node int) bool { return !n.down[node] }

// sent returns the requests so far, each with when it left, and forgets them.
func (n *network) sent() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.log
	n.log = nil
	return log
}

// driver waits as long as it may when it backs off; number is its proposer.
func (n *network) driver(t *testing.T, number uint64) *drive.Driver {
	t.Helper()
	return driverOver(t, n, number)
}

func driverOver(t *testing.T, nodes drive.Nodes, number uint64) *drive.Driver {
	t.Helper()
	places, err := placement.New(1)
	require.NoError(t, err)
	return drive.New(drive.Config{
		Nodes:    nodes,
		Places:   places,
		Proposer: number,
		Hedge:    drive.Hedge{Least: 20 * time.Millisecond, Most: 20 * time.Millisecond},
		Jitter:   func(below time.Duration) time.Duration { return below - 1 },
	})
}

// warm lets d learn the epochs, so that later blanks don't surprise it, and
// forgets what that took.
func (n *network) warm(t *testing.T, d *drive.Driver) {
	t.Helper()
	for _, prefer := range [][]int{{0, 1}, {2}} {
		_, err := d.Do(t.Context(), drive.Request{Key: "nobody", Prefer: prefer, Deadline: time.Now().Add(time.Second)})
		require.NoError(t, err)
	}
	n.start = time.Now()
	n.sent()
}

// pass lets that much time pass for all in the bubble.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

func set(doc string) register.Change {
	return func([]byte) ([]byte, error) { return []byte(doc), nil }
}

func within(d time.Duration, key string, change register.Change) drive.Request {
	return drive.Request{Key: key, Change: change, Deadline: time.Now().Add(d)}
}

// marking says of every answer whether its request left once.
type marking struct {
	*network
	sole bool
}

// Send satisfies drive.Nodes.
func (m marking) Send(node int, q register.Request, deadline time.Time, reply func(register.Reply)) {
	m.network.Send(node, q, deadline, func(r register.Reply) {
		r.Sole = m.sole
		reply(r)
	})
}
