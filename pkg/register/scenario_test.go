package register

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestScenarios plays the files in testdata. Each is one rule, or one fault, told
// as commands to operations and acceptors:
//
//	given nothing | TEXT                D1 and D2 hold TEXT, chosen, and proposers 1 to 4 know all epochs
//	create | append | delete OP [TEXT] [proposer=N] [order=(D1,D2,W)]   start a change
//	read | rewrite OP [proposer=N] [order=(..)]                         start a read, or a write that changes nothing
//	handoff OP                          start to deliver the witness's hint
//	deliver A1 A2...                    A's first request is taken and its reply arrives, then the second's
//	take A1...                          A1, or another copy of it, is taken; the reply is kept
//	reply A1...                         the kept reply arrives
//	lose A1... | unsent A1...           the sender is told that no answer came, or that it never left
//	run OP                              deliver all that OP sends, to its end
//	hedge | resume | expire OP
//	forget OP                           forget what the handoff delivered
//	crash | restart SEAT
//	clock N                             the time, in microseconds
//	wrong SEAT N                        that acceptor's clock is N microseconds ahead
//	astray SEAT N                       have it promise the ballot N.99
//	state                               what the acceptors hold
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			return w.command(d)
		})
	})
}

var seatNames = [Seats]string{"D1", "D2", "W"}

// world is three acceptors, the operations on them, and the messages between.
type world struct {
	t         *testing.T
	now       int64
	proposers map[int]*testProposer
	seats     [Seats]*testSeat
	ops       map[string]*testOp
	out       strings.Builder
}

// testSeat is an acceptor with its disk; every write is durable at once.
type testSeat struct {
	acceptor *Acceptor
	up       bool
	boots    uint64
	ahead    int64
	records  map[string]Record
	durable  Durable
}

type testProposer struct {
	world  *world
	clock  *Clock
	epochs testEpochs
}

func (p *testProposer) Next() Ballot     { return p.clock.Next(p.world.now) }
func (p *testProposer) Observe(b Ballot) { p.clock.Observe(b) }

type testEpochs [Seats]uint64

func (e *testEpochs) Known() ([Seats]uint64, Incarnations) { return *e, Incarnations{} }
func (e *testEpochs) LearnEpoch(seat int, epoch uint64)    { e[seat] = epoch }
func (e *testEpochs) LearnDisks(Incarnations)              {}

// testOp is a round or a handoff.
type testOp struct {
	name    string
	round   *Round
	handoff *Handoff
	done    bool
	sent    []*message
}

type message struct {
	op     *testOp
	send   Send
	taken  int
	reply  Reply
	closed bool // its sender was answered
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: 10, proposers: map[int]*testProposer{}, ops: map[string]*testOp{}}
	for s := range w.seats {
		w.seats[s] = &testSeat{records: map[string]Record{}}
		w.start(s)
	}
	return w
}

func (w *world) start(seat int) {
	s := w.seats[seat]
	s.boots++
	s.up = true
	s.acceptor = NewAcceptor(seat, s.durable, Group{}, s.boots*100)
}

func (w *world) proposer(n int) *testProposer {
	if w.proposers[n] == nil {
		w.proposers[n] = &testProposer{world: w, clock: NewClock(uint64(n))}
	}
	return w.proposers[n]
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format, args...) }

const scenarioKey = "k"

// step has an acceptor answer a request.
func (w *world) step(seat int, q Request) Reply {
	s := w.seats[seat]
	reply, effects := s.acceptor.Step(w.now+s.ahead, q, s.records[q.Key])
	if effects.Put {
		s.records[q.Key] = q.Record
	}
	if effects.State {
		s.durable = s.acceptor.Durable()
	}
	return reply
}

// command plays one command and returns what it shows.
func (w *world) command(d *datadriven.TestData) string {
	w.out.Reset()
	switch d.Cmd {
	case "given":
		w.given(arg(d, 0))
	case "create", "append", "delete", "read", "rewrite":
		w.launch(d)
	case "handoff":
		w.launchHandoff(arg(d, 0))
	case "deliver", "take", "reply", "lose", "unsent":
		for _, a := range d.CmdArgs {
			w.transport(d.Cmd, w.message(a.Key))
		}
	case "run":
		w.run(w.op(d))
	case "hedge":
		w.sent(w.op(d), w.op(d).round.Hedge())
	case "resume":
		w.sent(w.op(d), w.op(d).round.Resume())
	case "expire":
		w.op(d).round.Expire()
		w.sent(w.op(d), nil)
	case "forget":
		w.forget(w.op(d).handoff)
	case "crash":
		w.seats[seatOf(w.t, arg(d, 0))].up = false
	case "restart":
		w.start(seatOf(w.t, arg(d, 0)))
	case "clock":
		w.now = int64(number(w.t, arg(d, 0)))
	case "wrong":
		w.seats[seatOf(w.t, arg(d, 0))].ahead = int64(number(w.t, arg(d, 1)))
	case "astray":
		b := Ballot{Time: int64(number(w.t, arg(d, 1))), Proposer: 99}
		w.printf("%s\n", w.step(seatOf(w.t, arg(d, 0)), Request{Kind: KindPrepare, Key: scenarioKey, Ballot: b}).Verdict)
	case "state":
		w.state()
	default:
		w.t.Fatalf("%s: no such command", d.Pos)
	}
	return w.out.String()
}

// given warms everything up, unseen.
func (w *world) given(text string) {
	for n := range 4 {
		for _, order := range [][Seats]int{{SeatD1, SeatD2, SeatW}, {SeatW, SeatD1, SeatD2}} {
			w.begin("warm", Spec{Order: order}, n+1)
			w.run(w.ops["warm"])
		}
	}
	if text != "nothing" {
		w.begin("warm", Spec{Change: testChange("create", text)}, 1)
		w.run(w.ops["warm"])
	}
	w.out.Reset()
}

func (w *world) launch(d *datadriven.TestData) {
	name, text := arg(d, 0), ""
	if len(d.CmdArgs) > 1 && len(d.CmdArgs[1].Vals) == 0 {
		text = arg(d, 1)
	}
	spec := Spec{Rewrite: d.Cmd == "rewrite"}
	if order, ok := d.Arg("order"); ok {
		for i, v := range order.Vals {
			spec.Order[i] = seatOf(w.t, v)
		}
	}
	if d.Cmd != "read" && d.Cmd != "rewrite" {
		spec.Change = testChange(d.Cmd, text)
	}
	n := 1
	d.MaybeScanArgs(w.t, "proposer", &n)
	w.begin(name, spec, n)
}

func (w *world) begin(name string, spec Spec, proposer int) {
	spec.Key = scenarioKey
	if spec.Order == [Seats]int{} {
		spec.Order = [Seats]int{SeatD1, SeatD2, SeatW}
	}
	p := w.proposer(proposer)
	op := &testOp{name: name, round: NewRound(spec, p, &p.epochs)}
	w.ops[name] = op
	w.now++
	w.sent(op, op.round.Start())
}

// testChange creates with text, appends it, or deletes.
func testChange(kind, text string) Change {
	return func(old []byte) ([]byte, error) {
		switch {
		case kind == "create" && old != nil:
			return nil, errTestExists
		case kind != "create" && old == nil:
			return nil, errTestNotFound
		case kind == "delete":
			return nil, nil
		}
		return append(old[:len(old):len(old)], text...), nil
	}
}

var (
	errTestExists   = fmt.Errorf("exists")
	errTestNotFound = fmt.Errorf("not found")
)

func (w *world) launchHandoff(name string) {
	rec := w.seats[SeatW].records[scenarioKey]
	require.False(w.t, rec.Blank(), "the witness holds nothing")
	op := &testOp{name: name, handoff: NewHandoff(0, Incarnations{}, []Hint{{scenarioKey, rec}})}
	w.ops[name] = op
	w.sent(op, op.handoff.Start())
}

// sent takes what an operation sends, and shows it.
func (w *world) sent(op *testOp, sends []Send) {
	for _, s := range sends {
		if s.Lazy {
			w.printf("%s -> %s: %s, lazily\n", op.name, seatNames[s.Seat], showRequest(s.Request))
			if w.seats[s.Seat].up {
				w.step(s.Seat, s.Request)
			}
			continue
		}
		op.sent = append(op.sent, &message{op: op, send: s})
		w.printf("%s%d -> %s: %s\n", op.name, len(op.sent), seatNames[s.Seat], showRequest(s.Request))
	}
	if op.done {
		return
	}
	if op.handoff != nil {
		w.showHandoff(op)
		return
	}
	if attempts, pausing := op.round.Pausing(); pausing {
		w.printf("%s pauses after %d attempts\n", op.name, attempts)
	}
	if op.round.Done() {
		op.done = true
		rec, err := op.round.Outcome()
		w.printf("%s ends: ", op.name)
		if err != nil {
			w.printf("%v, ", err)
		}
		w.printf("%s\n", showRecord(rec))
	}
}

func (w *world) showHandoff(op *testOp) {
	if !op.handoff.Done() {
		return
	}
	op.done = true
	for range op.handoff.Delivered() {
		w.printf("%s: delivered\n", op.name)
	}
	_, seats := op.handoff.Refused()
	for _, s := range seats {
		w.printf("%s: refused by %s\n", op.name, seatNames[s])
	}
}

func (w *world) forget(h *Handoff) {
	s := w.seats[SeatW]
	forgotten := 0
	for _, hint := range h.Delivered() {
		if s.acceptor.Forget(hint.Key, hint.Record.Ballot, Incarnations{}, s.records[hint.Key]) {
			delete(s.records, hint.Key)
			forgotten++
		}
	}
	if forgotten > 0 {
		s.acceptor.Forgot()
	}
	w.printf("forgot %d\n", forgotten)
}

// message returns the message called, say, a1.
func (w *world) message(name string) *message {
	head := strings.TrimRight(name, "0123456789")
	op := w.ops[head]
	require.NotNil(w.t, op, "no operation %q", head)
	n := number(w.t, name[len(head):])
	require.True(w.t, n > 0 && n <= len(op.sent), "%s sent no message %d", head, n)
	return op.sent[n-1]
}

func (w *world) transport(how string, m *message) {
	switch how {
	case "lose":
		w.answer(m, Reply{Verdict: VerdictLost})
	case "unsent":
		w.answer(m, Reply{Verdict: VerdictUnsent})
	case "reply":
		m.reply.Sole = m.taken == 1
		w.answer(m, m.reply)
	case "take", "deliver":
		if !w.seats[m.send.Seat].up {
			w.printf("%s is down\n", seatNames[m.send.Seat])
			w.answer(m, Reply{Verdict: VerdictLost})
			return
		}
		m.taken++
		m.reply = w.step(m.send.Seat, m.send.Request)
		w.printf("%s replies: %s\n", seatNames[m.send.Seat], showReply(m.send.Request.Kind, m.reply))
		if how == "deliver" {
			m.reply.Sole = m.taken == 1
			w.answer(m, m.reply)
		}
	}
}

func (w *world) answer(m *message, r Reply) {
	if m.closed {
		w.printf("%s was answered already\n", m.op.name)
		return
	}
	m.closed = true
	if m.op.handoff != nil {
		m.op.handoff.Reply(m.send.Seat, m.send.Tag, r)
		w.sent(m.op, nil)
		return
	}
	w.sent(m.op, m.op.round.Reply(m.send.Seat, m.send.Tag, r))
}

// run delivers all that an operation sends until it ends.
func (w *world) run(op *testOp) {
	for range 100 {
		if op.done {
			return
		}
		if op.round != nil {
			if _, pausing := op.round.Pausing(); pausing {
				w.printf("%s goes on\n", op.name)
				w.sent(op, op.round.Resume())
				continue
			}
		}
		delivered := false
		for n, m := range op.sent {
			if !m.closed && m.taken == 0 {
				w.printf("%s%d at ", op.name, n+1)
				w.transport("deliver", m)
				delivered = true
				break
			}
		}
		if !delivered {
			w.printf("%s waits\n", op.name)
			return
		}
	}
	w.t.Fatalf("%s does not end", op.name)
}
