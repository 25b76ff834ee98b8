package membership

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/register"
)

// leaver is a node with its peers, as Leave sees them.
type leaver struct {
	leaving bool
	welcome [3]Welcome
	err     [3]error
	during  func() // runs while node 1 is asked
}

func (l *leaver) Life() replica.Life                  { return replica.Life{Incarnation: 1} }
func (l *leaver) Show(done func(replica.Life, error)) { done(replica.Life{Incarnation: 1}, nil) }
func (l *leaver) Hear(_ int, _ replica.Life, done func(replica.Heard, error)) {
	done(replica.Heard{}, nil)
}
func (l *leaver) Form(done func(error))                       { done(nil) }
func (l *leaver) Recognize(done func(error))                  { done(nil) }
func (l *leaver) Rejoin(_ uint32, done func(error))           { done(nil) }
func (l *leaver) Raise(_ []register.Ballot, done func(error)) { done(nil) }
func (l *leaver) Admit()                                      {}
func (l *leaver) Admitted() bool                              { return true }
func (l *leaver) Leave(leaving bool)                          { l.leaving = leaving }
func (l *leaver) Votes() bool                                 { return !l.leaving }

func (l *leaver) Hello(_ context.Context, node int, _ replica.Life) (Welcome, error) {
	if node == 1 && l.during != nil {
		l.during()
	}
	return l.welcome[node], l.err[node]
}

func (l *leaver) leave(t *testing.T) (bool, error) {
	t.Helper()
	return NewMember(0, l, l, l, slog.New(slog.DiscardHandler)).Leave(t.Context())
}

// TestLeaveNeedsBothPeers to answer, and to be able to vote.
func TestLeaveNeedsBothPeers(t *testing.T) {
	for name, c := range map[string]struct {
		voting [3]bool
		err    [3]error
		want   bool
	}{
		"both vote":          {voting: [3]bool{1: true, 2: true}, want: true},
		"one is joining":     {voting: [3]bool{1: true}},
		"the other, too":     {voting: [3]bool{2: true}},
		"one does not reply": {voting: [3]bool{1: true, 2: true}, err: [3]error{2: errors.New("down")}},
	} {
		l := &leaver{err: c.err}
		for i := range l.welcome {
			l.welcome[i].Voting = c.voting[i]
		}
		may, err := l.leave(t)
		require.Equal(t, c.want, may, name)
		require.Equal(t, c.want, err == nil, name)
		require.Equal(t, c.want, l.leaving, name)
	}
}

// TestTwoDoNotLeaveAtOnce: whoever asks is asked by the other, and sees that it is
// about to leave itself.
func TestTwoDoNotLeaveAtOnce(t *testing.T) {
	l := &leaver{}
	l.welcome[1].Voting, l.welcome[2].Voting = true, true
	l.during = func() {
		Greet(l, 1, replica.Life{Incarnation: 1}, func(w Welcome, err error) {
			require.NoError(t, err)
			require.False(t, w.Voting)
		})
	}
	may, err := l.leave(t)
	require.NoError(t, err)
	require.True(t, may)
}
