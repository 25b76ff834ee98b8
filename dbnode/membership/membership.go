// Package membership keeps a node whose disk was lost or rolled back from
// voting. A node shows its peers which disk it runs on, and how often that was
// started, before its acceptors answer anything, and every second after.
//
// Invariants:
//   - A node votes only after a peer has durably recorded this start of this
//     disk, and then that it did so, and no peer that answered knows a later one.
//   - A blank disk joins a brand-new cluster only if both peers say that they
//     have never heard of this node; otherwise it is a lost disk, and takes an
//     incarnation that is higher than any that either peer knows.
//   - A lost disk takes part only behind the fence of both peers, and votes in a
//     partition only once that is rebuilt.
package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// ErrLostDisk says that the node's disk is an old copy: a peer has seen a later
// start of it. It must be set aside, and the node started on a blank one.
var ErrLostDisk = errors.New("this disk is an old copy: a peer has seen a later start of it")

// Answer is what came of showing the own life to one peer.
type Answer struct {
	Node    int
	Welcome Welcome
	Err     error // no Welcome came
}

// Welcome is a peer's answer when it has recorded the life that it was shown.
type Welcome struct {
	Life   replica.Life      // its own
	Voting bool              // whether it may vote
	Before replica.Life      // what it knew of this node before
	Fences []register.Ballot // by partition, if this node is joining
}

// Peers asks the other nodes.
type Peers interface {
	Hello(ctx context.Context, node int, life replica.Life) (Welcome, error)
}

// Replica is what membership decides about; *replica.Replica does.
type Replica interface {
	Life() replica.Life
	Show(done func(replica.Life, error))
	Hear(node int, life replica.Life, done func(replica.Heard, error))
	Newcomer
}

// Newcomer takes on a life.
type Newcomer interface {
	Form(done func(error))
	Recognize(done func(error))
	Rejoin(incarnation uint32, done func(error))
	Raise(fences []register.Ballot, done func(error))
}

// Admission lets the acceptors answer.
type Admission interface {
	Admit()
	Admitted() bool
	Leave(leaving bool)
}

// Member is the worker that shows this node's life to its peers.
type Member struct {
	node      int
	replica   Replica
	admission Admission
	peers     Peers
	logger    *slog.Logger
}

// NewMember returns the worker of the node with that number.
func NewMember(node int, r Replica, a Admission, peers Peers, logger *slog.Logger) *Member {
	return &Member{node: node, replica: r, admission: a, peers: peers, logger: logger}
}

// Step shows the own life to both peers and does what their answers call for. It
// is busy while another step should follow soon. The error wraps ErrLostDisk if
// the disk must be set aside.
func (m *Member) Step(ctx context.Context) (busy bool, err error) {
	answers, err := m.show(ctx)
	if err != nil {
		return false, err
	}
	return m.Take(answers)
}

// show shows the own life to both peers.
func (m *Member) show(ctx context.Context) ([]Answer, error) {
	var own replica.Life
	err := await(func(done func(error)) {
		m.replica.Show(func(life replica.Life, err error) { own = life; done(err) })
	})
	if err != nil {
		return nil, err
	}
	return m.ask(ctx, own), nil
}

// Take does what the answers of the peers to the life that they were shown call for.
func (m *Member) Take(answers []Answer) (busy bool, err error) {
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		if err := m.hear(a.Node, a.Welcome.Life); err != nil {
			return false, err
		}
	}
	// Not as it was shown: a peer may have heard of a change since by an answer
	// to its own hello.
	own := m.replica.Life()
	action := decide(own, m.admission.Admitted(), welcomes(answers))
	switch action.kind {
	case wait:
		return false, m.waitingFor(own, answers)
	case nothing:
		return false, nil
	case form:
		m.logger.Info("brand-new cluster: no peer has heard of this node")
		return true, await(m.replica.Form)
	case rejoin:
		m.logger.Warn("the disk was lost: joining anew, and rebuilding from the other nodes", slog.Uint64("incarnation", uint64(action.incarnation)))
		return true, await(func(done func(error)) { m.replica.Rejoin(action.incarnation, done) })
	case setAside:
		return false, ErrLostDisk
	case recognize:
		return true, await(m.replica.Recognize)
	case raise:
		if err := await(func(done func(error)) { m.replica.Raise(action.fences, done) }); err != nil {
			return false, err
		}
		m.admission.Admit()
		return false, nil
	case admit:
		m.admission.Admit()
		return false, nil
	}
	return false, fmt.Errorf("membership: unknown action %d", action.kind)
}

func (m *Member) ask(ctx context.Context, own replica.Life) []Answer {
	var out []Answer
	for n := range placement.Nodes {
		if n != m.node {
			out = append(out, Answer{Node: n})
		}
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i].Welcome, out[i].Err = m.peers.Hello(ctx, out[i].Node, own) })
	}
	wg.Wait()
	return out
}

func welcomes(all []Answer) []Welcome {
	var out []Welcome
	for _, a := range all {
		if a.Err == nil {
			out = append(out, a.Welcome)
		}
	}
	return out
}

func (m *Member) hear(node int, life replica.Life) error {
	return await(func(done func(error)) {
		m.replica.Hear(node, life, func(_ replica.Heard, err error) { done(err) })
	})
}

func (m *Member) waitingFor(own replica.Life, all []Answer) error {
	for _, a := range all {
		if a.Err != nil {
			return fmt.Errorf("waiting for node %d before taking part (incarnation %d): %w", a.Node, own.Incarnation, a.Err)
		}
	}
	return errors.New("waiting for both other nodes to be able to vote, since this node's disk was lost")
}

func await(start func(done func(error))) error {
	landed := make(chan error, 1)
	start(func(err error) { landed <- err })
	return <-landed
}
