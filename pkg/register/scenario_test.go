package register

import (
	"fmt"
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
//	full | room SEAT                    its disk is too full for data to grow, or has room again
//	clock N                             the time, in microseconds
//	wrong SEAT N                        that acceptor's clock is N microseconds ahead
//	astray SEAT N                       have it promise the ballot N.99
//	flood SEAT                          have it promise ballots for as many other keys as it keeps promises
//	bar SEAT | collect SEAT             a step of collecting the tombstone that D1 holds
//	wipe SEAT                           it comes back on a blank disk, as a new one
//	fence SEAT                          the other two record that disk, and it takes their fences as its floor
//	copy FROM TO                        TO, which is joining, copies what FROM holds
//	rebuilt SEAT                        all three know that its disk holds what it has to
//	damage SEAT                         its record can't be read any more
//	mend SEAT                           settle that record with the other two, and store the outcome
//	lack SEAT                           its record is gone without a trace
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
		w.forget(w.op(d))
	case "crash":
		w.seats[seatOf(w.t, arg(d, 0))].up = false
	case "restart":
		w.start(seatOf(w.t, arg(d, 0)))
	case "full", "room":
		w.seats[seatOf(w.t, arg(d, 0))].full = d.Cmd == "full"
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
		w.disks(d)
	}
	return w.out.String()
}

// disks plays the commands about collecting, and about lost and damaged disks.
func (w *world) disks(d *datadriven.TestData) {
	seat := seatOf(w.t, arg(d, 0))
	switch d.Cmd {
	case "flood":
		w.flood(seat)
	case "bar":
		w.collect(seat, KindBar)
	case "collect":
		w.collect(seat, KindCollect)
	case "wipe":
		w.wipe(seat)
	case "fence":
		w.fence(seat)
	case "copy":
		w.copy(seat, seatOf(w.t, arg(d, 1)))
	case "rebuilt":
		w.rebuilt(seat)
	case "damage":
		s := w.seats[seat]
		s.damaged, s.bar = true, s.acceptor.DamageBar()
	case "mend":
		w.mend(seat)
	case "lack":
		delete(w.seats[seat].records, scenarioKey)
	default:
		w.t.Fatalf("%s: no such command", d.Pos)
	}
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
	spec := Spec{Rewrite: d.Cmd == "rewrite", Grows: d.Cmd == "create" || d.Cmd == "append"}
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
	op := &testOp{name: name, round: NewRound(spec, p, &p.known)}
	w.ops[name] = op
	w.now++
	w.sent(op, op.round.Start())
}

func (w *world) launchHandoff(name string) {
	rec := w.seats[SeatW].records[scenarioKey]
	require.False(w.t, rec.Blank(), "the witness holds nothing")
	disks := w.seats[SeatW].acceptor.Group().Disks
	op := &testOp{name: name, handoff: NewHandoff(0, disks, []Hint{{scenarioKey, rec}}), disks: disks}
	w.ops[name] = op
	w.sent(op, op.handoff.Start())
}

func (w *world) forget(op *testOp) {
	s := w.seats[SeatW]
	forgotten := 0
	for _, hint := range op.handoff.Delivered() {
		if s.acceptor.Forget(hint.Key, hint.Record.Ballot, op.disks, s.records[hint.Key]) {
			delete(s.records, hint.Key)
			forgotten++
		}
	}
	if forgotten > 0 {
		s.acceptor.Forgot()
	}
	w.printf("forgot %d\n", forgotten)
}

func (w *world) op(d *datadriven.TestData) *testOp {
	op := w.ops[arg(d, 0)]
	require.NotNil(w.t, op, "%s: no operation %q", d.Pos, arg(d, 0))
	return op
}

func arg(d *datadriven.TestData, i int) string {
	if i >= len(d.CmdArgs) {
		return ""
	}
	return d.CmdArgs[i].Key
}

func number(t *testing.T, s string) int {
	var n int
	_, err := fmt.Sscanf(s, "%d", &n)
	require.NoError(t, err, "%q is no number", s)
	return n
}

func seatOf(t *testing.T, name string) int {
	for s, n := range seatNames {
		if n == name {
			return s
		}
	}
	t.Fatalf("no seat %q", name)
	return 0
}
