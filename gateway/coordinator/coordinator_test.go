package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dyad-db/dyad/gateway/coordinator"
	"github.com/dyad-db/dyad/gateway/coordinator/mocks"
	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/register"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const budget = 200 * time.Millisecond

func keep(old []byte) ([]byte, error) { return old, nil }

// held is a Rounds whose changes last until the test lets each one go.
type held struct {
	*mocks.Rounds
	gate chan struct{}

	mu    sync.Mutex
	begun []string
}

func hold(t *testing.T) *held {
	h := &held{Rounds: mocks.NewRounds(t), gate: make(chan struct{})}
	h.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(
		func(_ context.Context, q drive.Request) (drive.Result, error) {
			doc, err := q.Change(nil)
			h.mu.Lock()
			h.begun = append(h.begun, string(doc))
			h.mu.Unlock()
			<-h.gate
			return drive.Result{Record: record(string(doc))}, err
		}).Maybe()
	return h
}

func (h *held) order() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.begun...)
}

func record(doc string) register.Record {
	b := register.Ballot{Time: 1}
	return register.Record{Ballot: b, Op: b, Doc: []byte(doc)}
}

func set(doc string) register.Change {
	return func([]byte) ([]byte, error) { return []byte(doc), nil }
}

func TestReadReturnsTheDocument(t *testing.T) {
	for name, c := range map[string]struct {
		record register.Record
		want   []byte
	}{
		"present": {record("doc"), []byte("doc")},
		"blank":   {register.Record{}, nil},
		"deleted": {register.Record{Ballot: register.Ballot{Time: 1}, Tombstone: true}, nil},
	} {
		rounds := mocks.NewRounds(t)
		rounds.EXPECT().Do(mock.Anything, mock.MatchedBy(func(q drive.Request) bool {
			return q.Key == "ada" && q.Change == nil && !q.Rewrite
		})).Return(drive.Result{Record: c.record}, nil).Once()
		doc, err := coordinator.New(rounds, budget).Read(t.Context(), "ada")
		require.NoError(t, err, name)
		require.Equal(t, c.want, doc, name)
	}
}

func TestErrorsComeThrough(t *testing.T) {
	refusal := errors.New("exists")
	for _, want := range []error{refusal, register.ErrUnavailable, register.ErrNoSpace, register.ErrUnknown} {
		rounds := mocks.NewRounds(t)
		rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{Record: record("current")}, want)
		c := coordinator.New(rounds, budget)
		doc, err := c.Change(t.Context(), "ada", keep)
		require.ErrorIs(t, err, want)
		require.Nil(t, doc, "a refused change has no document")
		require.ErrorIs(t, c.Remove(t.Context(), "ada", keep), want)
	}
}

// TestOnlyDeletionsNeedNoRoom, and reads, which ask for none.
func TestOnlyDeletionsNeedNoRoom(t *testing.T) {
	rounds := mocks.NewRounds(t)
	var grows []bool
	rounds.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(
		func(_ context.Context, q drive.Request) (drive.Result, error) {
			grows = append(grows, q.Grows)
			return drive.Result{}, nil
		}).Times(3)
	c := coordinator.New(rounds, budget)
	_, err := c.Change(t.Context(), "ada", keep)
	require.NoError(t, err)
	require.NoError(t, c.Remove(t.Context(), "ada", keep))
	_, err = c.Read(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, false}, grows)
}

// TestAReadEndsWithItsClient, and a change does not.
func TestAReadEndsWithItsClient(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rounds := mocks.NewRounds(t)
	rounds.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(
		func(ctx context.Context, q drive.Request) (drive.Result, error) {
			require.Equal(t, q.Change == nil, ctx.Err() != nil)
			return drive.Result{}, nil
		}).Twice()
	c := coordinator.New(rounds, budget)
	_, err := c.Read(ctx, "ada")
	require.NoError(t, err)
	_, err = c.Change(ctx, "ada", keep)
	require.NoError(t, err)
}

func TestCounts(t *testing.T) {
	rounds := mocks.NewRounds(t)
	rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{ThirdAsked: true}, nil).Twice()
	rounds.EXPECT().Do(mock.Anything, mock.Anything).Return(drive.Result{}, nil).Once()
	c := coordinator.New(rounds, budget)
	_, _ = c.Read(t.Context(), "ada")
	_, _ = c.Read(t.Context(), "ada")
	_, _ = c.Change(t.Context(), "ada", keep)
	require.Equal(t, coordinator.Counts{Reads: 2, Changes: 1, ThirdAsked: 2}, c.Counts())
}

// appending is a change that adds a word to what is there.
func appending(word string) register.Change {
	return func(old []byte) ([]byte, error) { return []byte(string(old) + word), nil }
}

// refusing is a change that refuses what is there.
func refusing(old []byte) ([]byte, error) { return nil, fmt.Errorf("refused %q", old) }

// changes are made at once, while a first round of their id is held up.
type changes struct {
	t       *testing.T
	c       *coordinator.Coordinator
	all     sync.WaitGroup
	docs    []string
	errs    []error
	waiting int
}

// add has a change wait behind those before it.
func (c *changes) add(change register.Change) {
	i := c.waiting
	c.waiting++
	c.docs, c.errs = append(c.docs, ""), append(c.errs, nil)
	c.all.Go(func() {
		doc, err := c.c.Change(c.t.Context(), "ada", change)
		c.docs[i], c.errs[i] = string(doc), err
	})
	synctest.Wait()
}

// TestChangesThatWaitAreFolded into one round, in their order, each with an outcome
// of its own; another id doesn't wait.
func TestChangesThatWaitAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := hold(t)
		c := &changes{t: t, c: coordinator.New(rounds, budget)}
		c.add(set("first"))
		c.add(appending("a"))
		c.add(refusing)
		c.add(appending("b"))
		require.Equal(t, []string{"first"}, rounds.order(), "one round at a time")
		c.all.Go(func() { _, _ = c.c.Change(t.Context(), "bob", set("bob's")) })
		synctest.Wait()
		require.Equal(t, []string{"first", "bob's"}, rounds.order())
		close(rounds.gate)
		c.all.Wait()
		require.Equal(t, []string{"first", "bob's", "ab"}, rounds.order(), "one round for all that waited")
		require.Equal(t, []string{"first", "a", "", "ab"}, c.docs)
		require.EqualError(t, c.errs[2], `refused "a"`)
		require.NoError(t, errors.Join(c.errs[0], c.errs[1], c.errs[3]))
	})
}

func TestAFoldThatIsRefusedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := hold(t)
		c := &changes{t: t, c: coordinator.New(rounds, budget)}
		c.add(set("first"))
		c.add(func([]byte) ([]byte, error) { return nil, errors.New("exists") })
		c.add(func([]byte) ([]byte, error) { return nil, errors.New("not found") })
		close(rounds.gate)
		c.all.Wait()
		require.EqualError(t, c.errs[1], "exists")
		require.EqualError(t, c.errs[2], "not found", "each its own refusal")
	})
}

// TestAFoldThatFails: what was to be changed ends like the round, what was to be
// refused was certainly not applied.
func TestAFoldThatFails(t *testing.T) {
	for _, failure := range []error{register.ErrUnknown, register.ErrUnavailable, register.ErrNoSpace} {
		synctest.Test(t, func(t *testing.T) {
			rounds := mocks.NewRounds(t)
			gate := make(chan struct{})
			rounds.EXPECT().Do(mock.Anything, mock.Anything).RunAndReturn(
				func(_ context.Context, q drive.Request) (drive.Result, error) {
					_, _ = q.Change(nil)
					<-gate
					return drive.Result{}, failure
				}).Twice()
			c := &changes{t: t, c: coordinator.New(rounds, budget)}
			for _, change := range []register.Change{set("first"), set("x"), refusing} {
				c.add(change)
			}
			close(gate)
			c.all.Wait()
			require.ErrorIs(t, c.errs[0], failure)
			require.ErrorIs(t, c.errs[1], failure)
			if !errors.Is(failure, register.ErrNoSpace) {
				failure = register.ErrUnavailable
			}
			require.ErrorIs(t, c.errs[2], failure)
		})
	}
}

// TestDeletionsAreNotHeldUpByWhatGrows: a full disk refuses the one and takes the
// other, so they share no round.
func TestDeletionsAreNotHeldUpByWhatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := hold(t)
		c := &changes{t: t, c: coordinator.New(rounds, budget)}
		c.add(set("first"))
		c.add(appending("a"))
		c.add(appending("b"))
		c.all.Go(func() { _ = c.c.Remove(t.Context(), "ada", set("removed")) })
		synctest.Wait()
		close(rounds.gate)
		c.all.Wait()
		require.Equal(t, []string{"first", "ab", "removed"}, rounds.order())
	})
}

// TestAPanicStopsNobodyElse, and what shared its round is unknown.
func TestAPanicStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := hold(t)
		c := &changes{t: t, c: coordinator.New(rounds, budget)}
		c.add(set("first"))
		c.all.Go(func() {
			defer func() { require.NotNil(t, recover()) }()
			_, _ = c.c.Change(t.Context(), "ada", func([]byte) ([]byte, error) { panic("a bug") })
		})
		synctest.Wait()
		c.add(set("x"))
		close(rounds.gate)
		c.all.Wait()
		require.ErrorIs(t, c.errs[1], register.ErrUnknown)
		doc, err := c.c.Change(t.Context(), "ada", set("later"))
		require.NoError(t, err)
		require.Equal(t, "later", string(doc))
	})
}

// TestNoTurnInTimeIsUnavailable: what waits gives up at its deadline, and those
// behind it keep their places.
func TestNoTurnInTimeIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := hold(t)
		c := coordinator.New(rounds, budget)
		start := time.Now()
		var all sync.WaitGroup
		change := func(doc string, want error) {
			all.Go(func() {
				if _, err := c.Change(t.Context(), "ada", set(doc)); !errors.Is(err, want) {
					t.Errorf("%s: %v", doc, err)
				}
			})
			synctest.Wait()
		}
		change("first", nil)
		change("gives up", register.ErrUnavailable)
		<-time.NewTimer(budget / 2).C
		change("second", nil)
		change("third", nil)
		<-time.NewTimer(budget / 2).C
		synctest.Wait()
		require.Equal(t, budget, time.Since(start))
		close(rounds.gate)
		all.Wait()
		require.Equal(t, []string{"first", "third"}, rounds.order(), "what gave up never began")
	})
}

// TestTheQueueOfAnIDIsBounded: whoever finds it full is refused at once.
func TestTheQueueOfAnIDIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 1 + 1024
		rounds := hold(t)
		c := coordinator.New(rounds, budget)
		start := time.Now()
		var all sync.WaitGroup
		for range room {
			all.Go(func() {
				if _, err := c.Change(t.Context(), "ada", set("x")); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		_, err := c.Change(t.Context(), "ada", set("one too many"))
		require.ErrorIs(t, err, register.ErrUnavailable)
		require.Zero(t, time.Since(start))
		close(rounds.gate)
		all.Wait()
		require.Len(t, rounds.order(), 1+4, "a round takes 256 at most")
		_, err = c.Change(t.Context(), "ada", set("room again"))
		require.NoError(t, err)
	})
}
