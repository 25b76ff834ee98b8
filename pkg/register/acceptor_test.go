package register

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func at(t int64) Ballot { return Ballot{Time: t, Proposer: 1} }

func record(b Ballot, doc string) Record { return Record{Ballot: b, Op: b, Doc: []byte(doc)} }

func prepare(key string, b Ballot) Request { return Request{Kind: KindPrepare, Key: key, Ballot: b} }

func accept(key string, r Record) Request { return Request{Kind: KindAccept, Key: key, Record: r} }

// machine drives an acceptor through random steps and crashes, and knows what it
// promised, whatever the acceptor remembers.
type machine struct {
	acceptor *Acceptor
	boots    uint64
	now      int64
	records  map[string]Record // durable
	damaged  map[string]Ballot // keys whose record can't be read, with their bars
	durable  Durable
	promised map[string]Ballot // highest that was promised or accepted, in a reply that left
	marked   map[string]Ballot
	epochs   map[uint64]bool // that replies carried before the last change
	epoch    uint64
}

var machineKeys = []string{"a", "b", "c", "d", "e"}

func newMachine() *machine {
	m := &machine{now: 1000, records: map[string]Record{}, damaged: map[string]Ballot{}, promised: map[string]Ballot{}, epochs: map[uint64]bool{}}
	m.start()
	return m
}

func (m *machine) start() {
	m.boots++
	m.acceptor = NewAcceptor(SeatD1, m.durable, Group{}, m.boots<<32)
	m.acceptor.promised = newBounded(2) // evicts all the time
	m.acceptor.chosen = newBounded(2)
	m.marked = map[string]Ballot{}
	for key := range m.damaged { // they are met again
		m.damaged[key] = m.acceptor.DamageBar()
	}
	m.newEpoch()
}

func (m *machine) newEpoch() {
	m.epochs[m.epoch] = true
	m.epoch = m.acceptor.epoch
}

// power is what becomes of a step.
type power int

const (
	powerStays power = iota
	powerGoesBeforeSync
	powerGoesBeforeReply
)

// step takes a request through the acceptor.
func (m *machine) step(t *rapid.T, q Request, p power) {
	held := m.records[q.Key]
	floor := m.acceptor.durable.Floor
	bar, damaged := m.damaged[q.Key]
	var reply Reply
	var effects Effects
	if damaged {
		reply, effects = m.acceptor.StepDamaged(m.now, q, bar)
	} else {
		reply, effects = m.acceptor.Step(m.now, q, held)
	}
	if p != powerGoesBeforeSync {
		if effects.Put {
			m.records[q.Key] = q.Record
			delete(m.damaged, q.Key)
		}
		if effects.State {
			m.durable = m.acceptor.Durable()
		}
	}
	if p != powerStays {
		m.start()
		return
	}
	require.False(t, m.acceptor.durable.Floor.Less(floor), "the floor sank")
	if damaged && reply.Verdict == VerdictUnable {
		return
	}
	m.check(t, q, held, floor, reply) // against what the record was
}

func (m *machine) check(t *rapid.T, q Request, held Record, floor Ballot, reply Reply) {
	yes := reply.Verdict == VerdictYes
	switch q.Kind {
	case KindPrepare:
		if yes {
			require.True(t, m.promised[q.Key].Less(q.Ballot), "promised %s after %s", q.Ballot, m.promised[q.Key])
			require.True(t, held.Ballot.Less(q.Ballot))
			require.True(t, floor.Less(q.Ballot))
			m.promise(t, q.Key, q.Ballot)
		}
	case KindAccept:
		b := q.Record.Ballot
		if yes && held.Ballot != b {
			require.False(t, b.Less(m.promised[q.Key]), "accepted %s below %s", b, m.promised[q.Key])
			require.True(t, held.Ballot.Less(b))
			require.True(t, floor.Less(b))
			m.promise(t, q.Key, b)
		}
		if held.Ballot == b && !held.Blank() {
			require.True(t, yes, "what is held already is accepted, whatever was promised")
		}
	case KindChosen:
		if q.Ballot == held.Ballot {
			m.marked[q.Key] = q.Ballot
		}
	case KindRead, KindBar, KindCollect: // the machine draws none of the last two
	}
	if reply.Verdict == VerdictRefused {
		require.False(t, reply.Highest.Less(Max(q.Ballot, Ballot{})), "refused %s for a lower one", q.Ballot)
		require.Equal(t, held.Ballot, Max(reply.Held, held.Ballot))
	}
	if yes && (q.Kind == KindPrepare || q.Kind == KindRead) {
		require.Equal(t, held, reply.Record)
		require.Equal(t, m.epoch, reply.Epoch)
		require.False(t, m.epochs[reply.Epoch], "an epoch came back")
		if reply.Chosen {
			require.Equal(t, held.Ballot, m.marked[q.Key], "a mark for another record")
		}
	}
}

func (m *machine) promise(t *rapid.T, key string, b Ballot) {
	m.promised[key] = Max(m.promised[key], b)
	require.Less(t, b.Time, m.durable.Horizon, "a promise beyond the horizon that is on disk")
}

// forget drops the record of key as a witness does.
func (m *machine) forget(b Ballot, key string) {
	held := m.records[key]
	if _, damaged := m.damaged[key]; damaged {
		return
	}
	if !m.acceptor.Forget(key, b, Incarnations{}, held) {
		return
	}
	delete(m.records, key)
	m.acceptor.Forgot()
	m.newEpoch()
}

func ballots(m *machine) *rapid.Generator[Ballot] {
	return rapid.Custom(func(t *rapid.T) Ballot {
		near := []int64{m.now, m.acceptor.durable.Floor.Time, m.acceptor.top.Time, m.acceptor.durable.Horizon}
		b := Ballot{
			Time:     rapid.SampledFrom(near).Draw(t, "near") + rapid.Int64Range(-20, 20).Draw(t, "by"),
			Proposer: rapid.Uint64Range(1, 3).Draw(t, "proposer"),
		}
		b.Time = max(b.Time, 1)
		return b
	})
}

// TestAcceptorKeepsItsWord: whatever comes in whatever order, across crashes at any
// moment, orderly stops, evictions, forgotten hints and damaged records, no promise
// is broken.
func TestAcceptorKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		steps := rapid.IntRange(1, 120).Draw(t, "steps")
		for range steps {
			key := rapid.SampledFrom(machineKeys).Draw(t, "key")
			b := ballots(m).Draw(t, "ballot")
			p := rapid.SampledFrom([]power{powerStays, powerStays, powerStays, powerStays, powerGoesBeforeSync, powerGoesBeforeReply}).Draw(t, "power")
			switch rapid.IntRange(0, 10).Draw(t, "kind") {
			case 0, 1, 2:
				m.step(t, prepare(key, b), p)
			case 3, 4:
				m.step(t, accept(key, record(b, "x")), p)
			case 5:
				if held := m.records[key]; !held.Blank() {
					m.step(t, accept(key, held), p)
				}
			case 6:
				m.step(t, Request{Kind: KindRead, Key: key}, powerStays)
			case 7:
				b = rapid.SampledFrom([]Ballot{b, m.records[key].Ballot}).Draw(t, "marked")
				m.step(t, Request{Kind: KindChosen, Key: key, Ballot: b}, powerStays)
			case 8:
				m.forget(rapid.SampledFrom([]Ballot{b, m.records[key].Ballot}).Draw(t, "forgotten"), key)
			case 9:
				if rapid.Bool().Draw(t, "orderly") {
					m.durable = m.acceptor.Seal()
				}
				m.start()
			case 10:
				if _, known := m.damaged[key]; !known && !m.records[key].Blank() {
					m.damaged[key] = m.acceptor.DamageBar()
				}
			}
			m.now += rapid.Int64Range(0, 10).Draw(t, "pass")
		}
	})
}

func TestForgetOnlyTheVeryRecord(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 7)
	held := record(at(5), "x")
	require.False(t, a.Forget("k", at(4), Incarnations{}, held))
	require.False(t, a.Forget("k", at(6), Incarnations{}, held))
	require.False(t, a.Forget("k", Ballot{}, Incarnations{}, Record{}), "nothing is held")
	require.True(t, a.Forget("k", at(5), Incarnations{}, held))
	a.Forgot()
	reply, _ := a.Step(0, Request{Kind: KindRead, Key: "k"}, Record{})
	require.Equal(t, uint64(8), reply.Epoch)
}

func TestForgettingKeepsTheHigherPromise(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	held := record(at(5), "x")
	reply, _ := a.Step(0, prepare("k", at(9)), held)
	require.Equal(t, VerdictYes, reply.Verdict)
	require.True(t, a.Forget("k", at(5), Incarnations{}, held))
	reply, _ = a.Step(0, accept("k", record(at(8), "late")), Record{})
	require.Equal(t, VerdictRefused, reply.Verdict)
	require.Equal(t, at(9), reply.Highest)
}

// An orderly stop costs nothing: the next start refuses only what was promised.
func TestSealedHorizonIsTight(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	_, _ = a.Step(1000, prepare("k", at(1000)), Record{})
	require.Equal(t, int64(1000+HorizonStep), a.Durable().Horizon)

	again := NewAcceptor(SeatD1, a.Seal(), Group{}, 2)
	reply, _ := again.Step(1001, prepare("k", at(1000)), Record{})
	require.Equal(t, VerdictRefused, reply.Verdict)
	reply, _ = again.Step(1001, prepare("k", at(1001)), Record{})
	require.Equal(t, VerdictYes, reply.Verdict)

	crashed := NewAcceptor(SeatD1, a.Durable(), Group{}, 3)
	reply, _ = crashed.Step(1001, prepare("k", at(1001)), Record{})
	require.Equal(t, VerdictRefused, reply.Verdict, "a crash costs the whole step")
}

func TestSealWithoutUseKeepsTheFloor(t *testing.T) {
	d := Durable{Floor: at(40), Horizon: 90}
	sealed := NewAcceptor(SeatD1, d, Group{}, 1).Seal()
	require.False(t, NewAcceptor(SeatD1, sealed, Group{}, 2).Durable().Floor.Less(Ballot{Time: 90}))
}

func TestBallotsTooFarAhead(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	reply, effects := a.Step(1000, prepare("k", at(1000+MaxAhead+1)), Record{})
	require.Equal(t, VerdictUnable, reply.Verdict)
	require.Equal(t, Effects{}, effects)
	reply, _ = a.Step(1000, prepare("k", at(1000+MaxAhead)), Record{})
	require.Equal(t, VerdictYes, reply.Verdict)

	lagging := NewAcceptor(SeatD1, Durable{Floor: at(5_000)}, Group{}, 1)
	reply, _ = lagging.Step(0, prepare("k", at(5_000+MaxAhead)), Record{})
	require.Equal(t, VerdictYes, reply.Verdict, "the floor counts for a clock that lags")
}

// The horizon is written once in HorizonStep of time, not once a promise.
func TestHorizonIsReservedInSteps(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	writes := 0
	for now := int64(1); now <= 10*HorizonStep; now += 1000 {
		_, effects := a.Step(now, prepare("k", at(now)), Record{})
		if effects.State {
			writes++
		}
	}
	require.LessOrEqual(t, writes, 11)
}

// A node that crashes again and again, with ballots following its floor, must not
// drive them out of the reach of the others.
func TestCrashLoopKeepsBallotsInReach(t *testing.T) {
	const now = 1_000_000
	d := Durable{}
	for boot := range uint64(200) {
		a := NewAcceptor(SeatD1, d, Group{}, boot+1)
		b := at(max(now, a.Durable().Floor.Time) + 1)
		reply, effects := a.Step(now, prepare("k", b), Record{})
		require.Equal(t, VerdictYes, reply.Verdict)
		require.True(t, effects.State)
		d = a.Durable()
	}
	require.Less(t, d.Horizon, int64(now+MaxAhead))
}

func TestEvictionRaisesTheFloor(t *testing.T) {
	a := NewAcceptor(SeatD1, Durable{}, Group{}, 1)
	keys := make([]string, MaxPromises+1)
	for i := range keys {
		keys[i] = string(rune('0'+i%10)) + string(rune(i))
		reply, _ := a.Step(0, prepare(keys[i], at(int64(i+1))), Record{})
		require.Equal(t, VerdictYes, reply.Verdict)
	}
	require.Equal(t, at(1), a.Durable().Floor)
	reply, _ := a.Step(0, accept(keys[0], record(at(1), "x")), Record{})
	require.Equal(t, VerdictRefused, reply.Verdict, "even the one that was promised may not be told from others any more")
	reply, _ = a.Step(0, accept(keys[1], record(at(2), "x")), Record{})
	require.Equal(t, VerdictYes, reply.Verdict)
}

func TestInvalidKindIsRefused(t *testing.T) {
	reply, effects := NewAcceptor(SeatD1, Durable{}, Group{}, 1).Step(0, Request{Kind: 99, Key: "k"}, Record{})
	require.Equal(t, VerdictUnable, reply.Verdict)
	require.Equal(t, Effects{}, effects)
}
