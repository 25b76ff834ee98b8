package sim

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

var (
	errGone = errors.New("the node went down")
	errLate = errors.New("no answer came in time")
	discard = slog.New(slog.DiscardHandler)
)

// routine runs a production worker, which blocks, as a coroutine of the run:
// either it or the simulator is at work, never both.
type routine struct {
	node    *node
	replica *replica.Replica
	boots   uint64
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	stopped bool

	copiesFrom int // the node that the last page came from
}

// begin runs work until it first waits.
func (n *node) begin(work func(r *routine)) {
	r := &routine{node: n, replica: n.replica, boots: n.boots}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield = yield
		work(r)
		delete(n.routines, r)
	})
	n.routines[r] = true
	r.next()
}

func (n *node) endRoutines() {
	for len(n.routines) > 0 {
		for r := range n.routines {
			r.stopped = true
			delete(n.routines, r)
			r.stop()
		}
	}
}

// await starts something and waits until it calls done; false when the node goes
// down first.
func (r *routine) await(start func(done func())) bool {
	if r.stopped {
		return false
	}
	finished, waiting := false, false
	start(func() {
		if finished || r.stopped {
			return
		}
		finished = true
		if waiting {
			r.node.sim.after(1, func() {
				if !r.stopped {
					r.next()
				}
			})
		}
	})
	if !finished {
		waiting = true
		r.yield(struct{}{})
	}
	return !r.stopped
}

// disk waits for something that ends with a sync of the node's disk.
func (r *routine) disk(done func(error), start func(done func(error))) {
	result := errGone
	r.await(func(woken func()) {
		start(func(err error) { result = err; woken() })
		r.node.planSync()
	})
	if r.stopped {
		result = errGone
	}
	done(result)
}

// remote asks another node something, and waits for the answer.
func (r *routine) remote(to int, serve func(peer *node, reply func(then func()))) error {
	answered := false
	s := r.node.sim
	ok := r.await(func(woken func()) {
		s.remote(r.node.id, to, serve, func() { answered = true; woken() })
		s.after(handoffTimeout, woken)
	})
	switch {
	case !ok:
		return errGone
	case !answered:
		return errLate
	}
	return nil
}

// Send satisfies drive.Nodes.
func (r *routine) Send(to int, q register.Request, _ time.Time, reply func(register.Reply)) {
	out, late := register.Reply{Verdict: register.VerdictLost}, false
	s := r.node.sim
	r.await(func(woken func()) {
		s.send(r.node.id, to, q, func(answer register.Reply) {
			if !late {
				out = answer
				woken()
			}
		})
		s.after(handoffTimeout, func() { woken() })
	})
	late = true
	reply(out)
}

// SendLazy satisfies drive.Nodes.
func (r *routine) SendLazy(to int, q register.Request) { r.node.sim.send(r.node.id, to, q, nil) }

// Up satisfies drive.Nodes.
func (r *routine) Up(to int) bool { return r.node.sim.nodes[to].up }

// Serve satisfies repair.Tombstones, and repair.Damaged.
func (r *routine) Serve(requests []register.Request, done func([]register.Reply)) {
	var out []register.Reply
	noted := r.node.note(requests)
	r.await(func(woken func()) {
		r.replica.Serve(requests, func(replies []register.Reply) {
			r.node.served(requests, replies)
			if !r.stopped {
				r.node.tell(requests, replies, noted)
			}
			out = replies
			woken()
		})
		r.node.planSync()
	})
	if r.stopped {
		out = nil
	}
	done(out)
}

// Tombstones satisfies repair.Tombstones.
func (r *routine) Tombstones(partition uint16, after string, limit int) ([]register.Hint, error) {
	return r.replica.Tombstones(partition, after, limit)
}

// Disks satisfies repair.Tombstones.
func (r *routine) Disks(partition uint16) register.Incarnations { return r.replica.Disks(partition) }

// Digest satisfies repair.Contents.
func (r *routine) Digest(_ context.Context, to int, partition uint16) (tree digest.Tree, err error) {
	lost := r.remote(to, func(peer *node, reply func(then func())) {
		peer.replica.Digest(partition, func(t digest.Tree, e error) {
			reply(func() { tree, err = t, e })
		})
		peer.planSync()
	})
	return tree, errors.Join(lost, err)
}

// Page satisfies repair.Contents.
func (r *routine) Page(_ context.Context, to int, partition uint16, after string) (page []register.Hint, more bool, err error) {
	r.copiesFrom = to
	lost := r.remote(to, func(peer *node, reply func(then func())) {
		p, m, e := peer.replica.Page(partition, after, 1+peer.sim.rng.IntN(2), 1<<20)
		reply(func() { page, more, err = p, m, e })
	})
	return page, more, errors.Join(lost, err)
}

// Do satisfies repair.Rounds.
func (r *routine) Do(_ context.Context, q drive.Request) (drive.Result, error) {
	n, s := r.node, r.node.sim
	n.rounds.Observe(q.Above)
	o := &operation{kind: opRead, key: s.keyIndex(q.Key), from: n.id, proposer: n.rounds, alive: n.alive()}
	if q.Rewrite {
		o.kind, o.fill = opRewrite, q.Fill
	}
	o.order = orderOf(q.Prefer)
	var result drive.Result
	err := errGone
	r.await(func(woken func()) {
		o.then = func(rec register.Record, e error) { result.Record, err = rec, e; woken() }
		s.launch(o)
	})
	return result, err
}

// orderOf prefers the given seats.
func orderOf(prefer []int) (order [register.Seats]int) {
	at := copy(order[:], prefer)
	for seat := range register.Seats {
		if at < register.Seats && !slices.Contains(order[:at], seat) {
			order[at] = seat
			at++
		}
	}
	return order
}

// Joining satisfies repair.Joiner.
func (r *routine) Joining(partition uint16) bool { return r.replica.Joining(partition) }

// PartitionRebuilt satisfies repair.Joiner.
func (r *routine) PartitionRebuilt(partition uint16) {
	r.node.sim.tracef("n%d has rebuilt partition %d", r.node.id, partition)
	if r.node.sim.places.Seat(int(partition), r.node.id) == register.SeatW {
		r.node.sim.watch.branch(branchRebuiltWitness)
	} else {
		r.node.sim.watch.branch(branchRebuiltData)
	}
	r.node.reached(momentRebuilt)
	r.replica.PartitionRebuilt(partition)
	r.node.probe()
}

// Copy satisfies repair.Joiner.
func (r *routine) Copy(partition uint16, records []register.Hint, done func(error)) {
	r.node.vows.copy(records)
	witness := len(records) > 0 && r.node.sim.places.Seat(int(partition), r.copiesFrom) == register.SeatW
	r.disk(done, func(done func(error)) {
		r.replica.Copy(partition, records, func(err error) {
			if err == nil {
				r.node.copied(records, witness)
			}
			done(err)
		})
	})
}

// copied takes down that the node holds what it copied.
func (n *node) copied(records []register.Hint, fromWitness bool) {
	for i := range records {
		n.sim.oracle.holds(n.id, records[i].Record.Ballot)
	}
	switch {
	case fromWitness:
		n.sim.watch.branch(branchCopiedHints)
	case len(records) > 0:
		n.sim.watch.branch(branchCopiedFromData)
	}
}

// Rebuilt satisfies repair.Joiner.
func (r *routine) Rebuilt(done func(error)) { r.disk(done, r.replica.Rebuilt) }

// Life satisfies membership.Replica.
func (r *routine) Life() replica.Life { return r.replica.Life() }

// Form satisfies membership.Replica.
func (r *routine) Form(done func(error)) { r.disk(done, r.replica.Form) }

// Recognize satisfies membership.Replica.
func (r *routine) Recognize(done func(error)) { r.disk(done, r.replica.Recognize) }

// Rejoin satisfies membership.Replica.
func (r *routine) Rejoin(incarnation uint32, done func(error)) {
	r.disk(done, func(done func(error)) { r.replica.Rejoin(incarnation, done) })
}

// Raise satisfies membership.Replica.
func (r *routine) Raise(fences []register.Ballot, done func(error)) {
	r.disk(done, func(done func(error)) { r.replica.Raise(fences, done) })
}

// Show satisfies membership.Replica.
func (r *routine) Show(done func(replica.Life, error)) {
	var life replica.Life
	r.disk(func(err error) { done(life, err) }, func(done func(error)) {
		r.replica.Show(func(l replica.Life, err error) { life = l; done(err) })
	})
}

// Hear satisfies membership.Replica.
func (r *routine) Hear(node int, life replica.Life, done func(replica.Heard, error)) {
	var heard replica.Heard
	r.disk(func(err error) { done(heard, err) }, func(done func(error)) {
		r.replica.Hear(node, life, func(h replica.Heard, err error) { heard = h; done(err) })
	})
}

// ask shows a life to both peers at once.
func (r *routine) ask(own replica.Life) []membership.Answer {
	n, s := r.node, r.node.sim
	var answers []membership.Answer
	for id := range s.nodes {
		if id != n.id {
			answers = append(answers, membership.Answer{Node: id, Err: errLate})
		}
	}
	closed, left, unheard := false, len(answers), s.chance(s.profile.aloof)
	if unheard {
		s.watch.fault(faultUnheard)
	}
	r.await(func(woken func()) {
		for i := range answers {
			a := &answers[i]
			serve := func(peer *node, reply func(then func())) {
				membership.Greet(peer.replica, n.id, own, func(w membership.Welcome, err error) {
					reply(func() {
						if !closed && !unheard {
							a.Welcome, a.Err = w, err
						}
					})
				})
				peer.planSync()
			}
			s.remote(n.id, a.Node, serve, func() {
				if left--; left == 0 {
					woken()
				}
			})
		}
		s.after(5*millisecond, woken)
	})
	closed = true
	return answers
}
