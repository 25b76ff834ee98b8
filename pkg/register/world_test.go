package register

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
	full     bool
	boots    uint64
	ahead    int64
	records  map[string]Record
	durable  Durable
	group    Group
	damaged  bool // its record is, and bar is that of register.Damage
	bar      Ballot
}

type testProposer struct {
	world *world
	clock *Clock
	known testKnowledge
}

func (p *testProposer) Next() Ballot     { return p.clock.Next(p.world.now) }
func (p *testProposer) Observe(b Ballot) { p.clock.Observe(b) }

type testKnowledge struct {
	epochs [Seats]uint64
	disks  Incarnations
}

func (k *testKnowledge) Known() ([Seats]uint64, Incarnations) { return k.epochs, k.disks }
func (k *testKnowledge) LearnEpoch(seat int, epoch uint64)    { k.epochs[seat] = epoch }
func (k *testKnowledge) LearnDisks(disks Incarnations)        { k.disks = k.disks.Newest(disks) }

// testOp is a round or a handoff.
type testOp struct {
	name    string
	round   *Round
	handoff *Handoff
	disks   Incarnations // of the handoff
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
	s.acceptor = NewAcceptor(seat, s.durable, s.group, s.boots*100)
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
	if s.full && q.NeedsRoom(s.records[q.Key]) {
		return Reply{Verdict: VerdictFull}
	}
	held := s.records[q.Key]
	var reply Reply
	var effects Effects
	if s.damaged && q.Key == scenarioKey {
		reply, effects = s.acceptor.StepDamaged(w.now+s.ahead, q, s.bar)
	} else {
		reply, effects = s.acceptor.Step(w.now+s.ahead, q, held)
	}
	if effects.Put {
		s.records[q.Key] = q.Record
		s.damaged = s.damaged && q.Key != scenarioKey
	}
	if effects.Drop {
		delete(s.records, q.Key)
		s.acceptor.Forgot()
	}
	if effects.State {
		s.durable = s.acceptor.Durable()
	}
	return reply
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
		return append(slices.Clip(old), text...), nil
	}
}

var (
	errTestExists   = errors.New("exists")
	errTestNotFound = errors.New("not found")
)

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

func (w *world) state() {
	for i, s := range w.seats {
		w.printf("%s: ", seatNames[i])
		if !s.up {
			w.printf("down, ")
		}
		if s.acceptor.Joining() {
			w.printf("joining, ")
		}
		rec := s.records[scenarioKey]
		if s.damaged {
			w.printf("damaged, bar %s", showBallot(s.bar))
		} else {
			w.printf("%s", showRecord(rec))
		}
		if mark, ok := s.acceptor.chosen.get(scenarioKey); ok && mark == rec.Ballot {
			w.printf(", chosen")
		}
		if b, ok := s.acceptor.promised.get(scenarioKey); ok {
			w.printf(", promised %s", showBallot(b))
		}
		if f := s.acceptor.durable.Floor; !f.IsZero() {
			w.printf(", floor %s", showBallot(f))
		}
		w.printf("\n")
	}
}

func showBallot(b Ballot) string {
	if b.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%d", b.Time, b.Proposer)
}

func showRecord(r Record) string {
	if r.Blank() {
		return "blank"
	}
	s := showBallot(r.Ballot)
	if r.Tombstone {
		s += " tombstone"
	} else {
		s += fmt.Sprintf(" %q", r.Doc)
	}
	if r.Op != r.Ballot {
		s += " (op " + showBallot(r.Op) + ")"
	}
	return s
}

func showRequest(q Request) string {
	switch q.Kind {
	case KindPrepare, KindChosen:
		return fmt.Sprintf("%s %s", q.Kind, showBallot(q.Ballot))
	case KindAccept:
		return fmt.Sprintf("accept %s", showRecord(q.Record))
	case KindRead, KindBar, KindCollect:
	}
	return q.Kind.String()
}

func showReply(kind Kind, r Reply) string {
	switch {
	case r.Verdict == VerdictRefused && kind == KindAccept:
		return fmt.Sprintf("refused, highest %s, held %s", showBallot(r.Highest), showBallot(r.Held))
	case r.Verdict == VerdictRefused:
		return "refused, highest " + showBallot(r.Highest)
	case r.Verdict == VerdictYes && kind != KindAccept:
		s := fmt.Sprintf("%s, epoch %d", showRecord(r.Record), r.Epoch)
		if r.Chosen {
			s += ", chosen"
		}
		return s
	}
	return r.Verdict.String()
}
