package sim

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/anishathalye/porcupine"

	"github.com/dyad-db/dyad/pkg/register"
)

// oracle knows what a run may show.
//
// What counts: every answer given to a client, refusals as reads; every write of
// unknown outcome, as one that may take effect at any later time. What doesn't:
// reads that failed, and writes that were said not to have been applied, so that
// any trace of these is a violation.
type oracle struct {
	sim        *sim
	violations []string
	histories  [][]porcupine.Operation // by key
	running    [][]*operation          // by key
	contended  []bool                  // by key: two operations met
	stamp      int64                   // orders calls and returns
	tokens     int

	holders map[register.Ballot]uint8   // by ballot: bits of the nodes that ever held that record, synced
	accepts map[register.Ballot]content // by ballot, of every accept sent
	changes map[register.Ballot]content // by op id

	collected map[uint16]int64 // by partition: when a tombstone was last dropped, or may have been

	known, unknown, failed, noSpace int
}

// longestCalm is more than what a message and its sync take when nothing is wrong.
const longestCalm = 20 * millisecond

// content is what a record says, at whatever ballot.
type content struct {
	key       string
	op        register.Ballot
	tombstone bool
	doc       string
}

func newOracle(s *sim, keys int) oracle {
	return oracle{
		sim:       s,
		histories: make([][]porcupine.Operation, keys),
		running:   make([][]*operation, keys),
		contended: make([]bool, keys),
		holders:   map[register.Ballot]uint8{},
		accepts:   map[register.Ballot]content{},
		changes:   map[register.Ballot]content{},
		collected: map[uint16]int64{},
	}
}

// oracleOperation is what the oracle keeps with an operation.
type oracleOperation struct {
	call      int64
	started   int64 // virtual time
	alone     bool  // no other operation of the key ran at the same time
	quiet     bool  // nor did any before it meet another
	warm      bool  // the epochs of the data replicas were known
	outcome   outcome
	document  string // that was read, written, or stood in the way
	unlimited bool   // it may take effect at any later time
}

type outcome uint8

const (
	outcomeDone outcome = iota + 1
	outcomeRefused
)

// maxViolations bounds what one run reports: what follows a first one seldom tells more.
const maxViolations = 8

func (o *oracle) violate(format string, args ...any) {
	if len(o.violations) < maxViolations {
		o.violations = append(o.violations, fmt.Sprintf(format, args...))
		o.sim.tracef("VIOLATION "+format, args...)
	}
}

// token returns a word that no other change of the run writes.
func (o *oracle) token() string {
	o.tokens++
	return "v" + strconv.Itoa(o.tokens)
}

func (o *oracle) tick() int64 {
	o.stamp++
	return o.stamp
}

func (o *oracle) called(op *operation) {
	op.call = o.tick()
	op.started = o.sim.now
	partition := o.sim.keys[op.key].partition
	knows := &op.proposer.byNumber[partition]
	op.warm = true
	for seat := register.SeatD1; seat <= register.SeatD2; seat++ {
		op.warm = op.warm && knows.known[seat] != 0 && o.collected[partition] < knows.at[seat]-longestCalm
	}
	op.alone = true
	live := o.running[op.key][:0]
	for _, other := range o.running[op.key] {
		if !other.done {
			op.alone, other.alone, o.contended[op.key] = false, false, true
			live = append(live, other)
		}
	}
	op.quiet = !o.contended[op.key]
	o.running[op.key] = append(live, op)
}

// sent checks an accept against the others that were seen.
func (o *oracle) sent(q *register.Request) {
	if q.Kind != register.KindAccept {
		return
	}
	r := &q.Record
	c := content{q.Key, r.Op, r.Tombstone, string(r.Doc)}
	if seen, ok := o.accepts[r.Ballot]; !ok {
		o.accepts[r.Ballot] = c
	} else if seen != c {
		o.violate("ballot %s is used twice: for %+v and for %+v", r.Ballot, seen, c)
	}
	if seen, ok := o.changes[r.Op]; !ok {
		o.changes[r.Op] = c
	} else if seen != c {
		o.violate("op id %s is used twice: for %+v and for %+v", r.Op, seen, c)
	}
}

// proposed checks that a new op id comes from a change and from nothing else.
func (o *oracle) proposed(op *operation, send *register.Send) {
	if send.Request.Kind != register.KindAccept {
		return
	}
	r := &send.Request.Record
	if _, known := o.changes[r.Op]; known {
		return
	}
	if op.changes == 0 && (!op.fill || !r.Tombstone) {
		o.violate("%s proposes op id %s, and changed nothing", op, r.Op)
	}
	op.changes = 0
}

// holds takes down that a node holds the record of a ballot, synced, and reports
// whether it did before.
func (o *oracle) holds(node int, b register.Ballot) bool {
	bit := uint8(1) << node
	before := o.holders[b]
	o.holders[b] = before | bit
	return before&bit != 0
}

// chosen checks that what is answered was accepted, at that very ballot, by two
// nodes, and is on their disks.
func (o *oracle) chosen(op *operation, rec register.Record, err error) {
	refused := errors.Is(err, errExists) || errors.Is(err, errNotFound)
	if rec.Blank() || err != nil && !refused {
		return
	}
	if n := bits.OnesCount8(o.holders[rec.Ballot]); n < 2 {
		o.violate("%s answers %s, which %d nodes ever held", op, describeRecord(rec), n)
	}
}

func (o *oracle) returned(op *operation, rec register.Record, err error) {
	o.chosen(op, rec, err)
	if op.kind == opRewrite {
		return
	}
	op.document = string(rec.Value())
	back := o.tick()
	switch {
	case err == nil:
		op.outcome = outcomeDone
		o.known++
	case errors.Is(err, errExists) || errors.Is(err, errNotFound):
		op.outcome = outcomeRefused
		o.known++
	case errors.Is(err, register.ErrUnavailable):
		o.failed++
		if op.must {
			o.violate("%s found no quorum though all is healed", op)
		}
		return
	case errors.Is(err, register.ErrNoSpace):
		o.noSpace++
		if op.must || op.kind != opCreate && op.kind != opAppend {
			o.violate("%s found no room though it needs none, or all is healed", op)
		}
		return
	case op.kind == opRead:
		if !errors.Is(err, errAbandoned) {
			o.violate("%s: a read can't end with: %v", op, err)
		}
		return
	default:
		o.unknown++
		op.unlimited = true
		back = math.MaxInt64
	}
	o.histories[op.key] = append(o.histories[op.key], porcupine.Operation{Input: op, Output: op, Call: op.call, Return: back})
	if o.sim.profile.calm && !o.sim.healed {
		o.calm(op)
	}
}

// calm holds without faults: an operation that meets no other touches two nodes,
// and its outcome is known; a read takes two requests, a write four.
func (o *oracle) calm(op *operation) {
	if !op.alone {
		return
	}
	if op.round.ThirdAsked() || op.touched[register.SeatW] {
		o.violate("%s touched the witness though nothing was wrong", op)
	}
	if op.unlimited {
		o.violate("%s ended as unknown though nothing was wrong", op)
	}
	expected := 2
	if op.outcome == outcomeDone && op.kind != opRead {
		expected = 4
	}
	if o.collected[o.sim.keys[op.key].partition] >= op.started-longestCalm {
		return // a blank that moved is looked at again
	}
	if op.warm && op.quiet && op.sends != expected {
		o.violate("%s took %d requests, not %d", op, op.sends, expected)
	}
}

// ended checks that no operation of a process that lives is left.
func (o *oracle) ended() {
	for _, running := range o.running {
		for _, op := range running {
			if !op.done && op.alive() {
				o.violate("%s did not end", op)
			}
		}
	}
}

// atRest checks the healed cluster: the data replicas hold the same, the witness
// nothing.
func (o *oracle) atRest() {
	for _, k := range o.sim.keys {
		var held [register.Seats]register.Record
		for seat, id := range k.group {
			held[seat] = o.sim.nodes[id].holds(k)
		}
		a, b := held[register.SeatD1], held[register.SeatD2]
		if a.Ballot != b.Ballot || a.Op != b.Op || a.Tombstone != b.Tombstone || string(a.Doc) != string(b.Doc) {
			o.violate("after healing D1 holds %s of %s and D2 %s", describeRecord(a), k.name, describeRecord(b))
		}
		if a.Tombstone {
			o.violate("after healing the tombstone %s of %s is not collected", describeRecord(a), k.name)
		}
		if w := held[register.SeatW]; !w.Blank() {
			o.violate("after healing W still holds %s of %s", describeRecord(w), k.name)
		}
	}
	if o.sim.profile.calm && o.failed > 0 {
		o.violate("%d operations found no quorum though nothing was wrong", o.failed)
	}
}

// holds asks the node's acceptor, all writes being durable.
func (n *node) holds(k key) register.Record {
	var r register.Record
	q := register.Request{Kind: register.KindRead, Partition: k.partition, Key: k.name, Disks: n.replica.Disks(k.partition)}
	n.replica.Serve([]register.Request{q}, func(replies []register.Reply) { r = replies[0].Record })
	n.store.Sync()
	return r
}

func (s *sim) keyIndex(name string) int {
	for i := range s.keys {
		if s.keys[i].name == name {
			return i
		}
	}
	panic("no such key: " + name)
}
