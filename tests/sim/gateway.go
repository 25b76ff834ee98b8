package sim

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// proposer is what the rounds of one process share: a clock with an id of its
// own, and what is known of epochs and disks.
type proposer struct {
	clock    *clock
	ballots  *register.Clock
	byNumber []knowledge             // by partition
	disks    [placement.Nodes]uint32 // by node
}

func (s *sim) newProposer(c *clock) *proposer {
	p := &proposer{clock: c, ballots: register.NewClock(s.freshProposer()), byNumber: make([]knowledge, s.profile.partitions)}
	for i := range p.byNumber {
		p.byNumber[i].proposer, p.byNumber[i].group = p, s.places.Group(i)
	}
	return p
}

// Next implements register.Proposer.
func (p *proposer) Next() register.Ballot { return p.ballots.Next(p.clock.now()) }

// Observe implements register.Proposer.
func (p *proposer) Observe(b register.Ballot) { p.ballots.Observe(b) }

// knowledge implements register.Knowledge.
type knowledge struct {
	proposer *proposer
	group    [placement.Nodes]int
	known    [register.Seats]uint64
	at       [register.Seats]int64 // when that was learned
}

func (k *knowledge) Known() ([register.Seats]uint64, register.Incarnations) {
	var disks register.Incarnations
	for seat, node := range k.group {
		disks[seat] = k.proposer.disks[node]
	}
	return k.known, disks
}

func (k *knowledge) LearnEpoch(seat int, epoch uint64) {
	k.known[seat], k.at[seat] = epoch, k.proposer.clock.sim.now
}

func (k *knowledge) LearnDisks(disks register.Incarnations) {
	for seat, node := range k.group {
		k.proposer.disks[node] = max(k.proposer.disks[node], disks[seat])
	}
}

// gateway runs the operations of its clients.
type gateway struct {
	sim      *sim
	process  int
	clock    clock
	proposer *proposer
	boots    int
	open     []*operation
}

func newGateway(s *sim, process int) *gateway {
	g := &gateway{sim: s, process: process, clock: s.newClock()}
	g.proposer = s.newProposer(&g.clock)
	return g
}

// restart cuts every operation short; its clients never learn what came of them.
func (g *gateway) restart() {
	g.sim.tracef("%s restarts", g.sim.name(g.process))
	g.sim.watch.fault(faultGateway)
	g.boots++
	g.proposer = g.sim.newProposer(&g.clock)
	open := g.open
	g.open = nil
	for _, o := range open {
		if !o.done {
			o.finish(register.Record{}, errAbandoned)
		}
	}
}

var errAbandoned = errors.New("the gateway went away")

// start runs an operation on this gateway.
func (g *gateway) start(o *operation) {
	if g.sim.chance(g.sim.profile.fresh) {
		g.proposer = g.sim.newProposer(&g.clock)
	}
	boots := g.boots
	o.from, o.proposer = g.process, g.proposer
	o.alive = func() bool { return g.boots == boots }
	live := g.open[:0]
	for _, other := range g.open {
		if !other.done {
			live = append(live, other)
		}
	}
	g.open = append(live, o)
	g.sim.launch(o)
}

// client does one operation after the other.
type client struct {
	gateway *gateway
	id      int
	left    int
}

func (c *client) next() {
	s := c.gateway.sim
	if c.left == 0 {
		s.waiting--
		return
	}
	c.left--
	o := &operation{key: s.drawKey(), client: c, order: [register.Seats]int{0, 1, 2}}
	o.kind = s.drawKind()
	if s.chance(s.profile.stray) {
		s.rng.Shuffle(len(o.order), func(i, j int) { o.order[i], o.order[j] = o.order[j], o.order[i] })
	}
	c.gateway.start(o)
}

func (s *sim) drawKey() int {
	if s.profile.moving > 0 {
		return int((s.now-origin)/s.profile.moving) % len(s.keys)
	}
	return s.rng.IntN(len(s.keys))
}

// drawKind draws what to do, in the mix of this run.
func (s *sim) drawKind() opKind {
	total := 0
	for _, share := range s.profile.mix {
		total += share
	}
	n := s.rng.IntN(total)
	for kind, share := range s.profile.mix {
		if n < share {
			return opKind(kind)
		}
		n -= share
	}
	panic("the shares add up")
}

type opKind uint8

const (
	opRead opKind = iota
	opCreate
	opAppend
	opDelete
	opRewrite // of a hint, by its witness
	opEnd     // marks the end of a history
)

// String names the kind as traces print it.
func (k opKind) String() string {
	return [...]string{"read", "create", "append", "delete", "rewrite", "end"}[k]
}

var (
	errExists   = errors.New("exists")
	errNotFound = errors.New("not found")
)

// operation is a round with the driver that a gateway, or a node, is to it.
type operation struct {
	sim      *sim
	kind     opKind
	key      int
	token    string // what a create or an append adds
	order    [register.Seats]int
	fill     bool    // a rewrite that writes a tombstone where nothing is held
	client   *client // nil where nobody waits
	from     int     // process
	proposer *proposer
	alive    func() bool
	must     bool // find a quorum
	then     func(register.Record, error)

	round   *register.Round
	tag     uint32
	changes int // results of the change that no accept has carried yet
	touched [register.Seats]bool
	sends   int
	done    bool
	oracleOperation
	operationWatch
}

// launch starts the round of an operation.
func (s *sim) launch(o *operation) {
	o.sim = s
	if o.kind == opCreate || o.kind == opAppend {
		o.token = s.oracle.token()
	}
	s.oracle.called(o)
	k := s.keys[o.key]
	spec := register.Spec{Partition: k.partition, Key: k.name, Rewrite: o.kind == opRewrite, Fill: o.fill, Order: o.order}
	if o.kind != opRead && o.kind != opRewrite {
		spec.Change, spec.Grows = o.change, o.kind != opDelete
	}
	if s.out != nil {
		s.tracef("%s starts", o)
	}
	o.round = register.NewRound(spec, o.proposer, &o.proposer.byNumber[k.partition])
	o.take(o.round.Start())
	p := &s.profile
	if p.deadline > 0 {
		s.after(p.deadline, o.expire)
	}
	if s.chance(p.hasty) {
		s.after(s.rng.Int64N(4*millisecond), o.expire)
	}
	if s.chance(p.rash) {
		s.after(s.rng.Int64N(4*millisecond), o.hedge)
	}
}

func (o *operation) change(old []byte) ([]byte, error) {
	switch {
	case o.kind == opCreate && old != nil:
		return nil, errExists
	case o.kind != opCreate && old == nil:
		return nil, errNotFound
	}
	o.changes++
	switch o.kind {
	case opCreate:
		return []byte(o.token), nil
	case opAppend:
		return append(append(slices.Clip(old), ' '), o.token...), nil
	case opDelete:
		return nil, nil
	case opRead, opRewrite, opEnd:
	}
	panic("no change")
}

// take does what the round asks for and arranges what it waits for.
func (o *operation) take(sends []register.Send) {
	s := o.sim
	k := &s.keys[o.key]
	o.asks(sends)
	for i := range sends {
		send := &sends[i]
		to := k.group[send.Seat]
		o.touched[send.Seat] = true
		s.oracle.proposed(o, send)
		if send.Lazy {
			s.send(o.from, to, send.Request, nil)
			continue
		}
		o.sends++
		seat, tag := send.Seat, send.Tag
		s.send(o.from, to, send.Request, func(r register.Reply) {
			if !o.done && o.alive() {
				o.take(o.round.Reply(seat, tag, r))
			}
		})
	}
	if o.round.Done() {
		o.finish(o.round.Outcome())
		return
	}
	if tag := o.round.Tag(); tag != o.tag {
		o.tag = tag
		o.wait()
	}
}

// wait sets the timer that comes with a new tag.
func (o *operation) wait() {
	s, tag := o.sim, o.tag
	if attempts, pausing := o.round.Pausing(); pausing {
		s.watch.branch(branchPaused)
		s.after(s.rng.Int64N(min(millisecond<<min(attempts, 5), 32*millisecond)), func() {
			if !o.done && o.alive() && o.tag == tag {
				o.take(o.round.Resume())
			}
		})
		return
	}
	delay := s.profile.hedge
	if s.chance(s.profile.rash) {
		s.watch.fault(faultHedge)
		delay = s.rng.Int64N(delay) + 1
	}
	s.after(delay, func() {
		if !o.done && o.alive() && o.tag == tag {
			o.take(o.round.Hedge())
			if !o.done && o.tag == tag {
				o.wait()
			}
		}
	})
}

// hedge comes out of turn.
func (o *operation) hedge() {
	if !o.done && o.alive() {
		o.take(o.round.Hedge())
	}
}

func (o *operation) expire() {
	if !o.done && o.alive() && !o.sim.healed {
		o.sim.watch.fault(faultExpired)
		o.round.Expire()
		o.take(nil)
	}
}

func (o *operation) finish(rec register.Record, err error) {
	o.done = true
	s := o.sim
	s.oracle.returned(o, rec, err)
	o.ends(rec, err)
	if s.out != nil {
		s.tracef("%s ends: %s", o, describeOutcome(rec, err))
	}
	if o.then != nil {
		o.then(rec, err)
	}
	if o.client != nil {
		s.after(s.spread(s.profile.think), o.client.next)
	}
}

// String names the operation in traces.
func (o *operation) String() string {
	var b strings.Builder
	b.WriteString(o.sim.name(o.from))
	if o.client != nil {
		b.WriteString(" client " + strconv.Itoa(o.client.id))
	}
	b.WriteString(" " + o.kind.String() + " " + o.sim.keys[o.key].name)
	if o.token != "" {
		b.WriteString(" " + o.token)
	}
	return b.String()
}
