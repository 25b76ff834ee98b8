package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/storage/powercut"
)

// power is a disk that is mounted for the life of a writer, and cut at its end
// if not before.
type power struct {
	disk *powercut.Disk
	rand *rand.Rand
	loss powercut.Loss // of the next cut
}

// on mounts the disk. The writer is killed when the power is cut; the function
// returned leaves the disk as the cut did.
func (p *power) on(t *testing.T, dir string, kill func()) (off func()) {
	t.Helper()
	unmount, err := powercut.Mount(p.disk, dir)
	require.NoError(t, err)
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-p.disk.Cut():
			kill()
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-watched
		p.disk.CutNow()
		require.NoError(t, unmount())
		p.disk = p.disk.After(p.loss, p.rand)
	}
}

// needPower skips the test where no such disk can be mounted.
func needPower(t *testing.T) {
	t.Helper()
	unmount, err := powercut.Mount(powercut.NewDisk(), t.TempDir())
	if errors.Is(err, powercut.ErrNoFUSE) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, unmount())
}

// TestPowerCuts cuts the power instead of a random call of a writer that changes
// or syncs something on its disk. Before, in some lives, a sync fails; and some
// writers follow one that was killed the same way, with no cut: they find on
// their disk what is to be seen and is not safe.
func TestPowerCuts(t *testing.T) {
	needPower(t)
	s := newSeries(t)
	begin := func(l *lineage) { l.power = &power{disk: powercut.NewDisk(), rand: s.rand} }
	s.run(number(t, "DYAD_CUTS", 10), begin, func(l *lineage) (life, string) {
		kind := ""
		if s.rand.IntN(3) == 0 {
			if l.cut(t, s.rand, powercut.KeepAll); len(l.findings) > 0 {
				return life{}, "killed"
			}
			kind = " after a kill"
		}
		loss := powercut.AnyLoss(s.rand)
		f, failed := l.cut(t, s.rand, loss)
		if failed {
			kind = " after a failed sync" + kind
		}
		return f, fmt.Sprint(loss, kind)
	})
}

// cut lives a life that ends at a random call, and says whether a sync failed.
func (l *lineage) cut(t *testing.T, r *rand.Rand, loss powercut.Loss) (f life, failed bool) {
	t.Helper()
	plan := powercut.Plan{CutAt: 1 + r.IntN(1+r.IntN(500))}
	if r.IntN(3) == 0 {
		plan.FailAt = 1 + r.IntN(1+r.IntN(100))
	}
	disk := l.power.disk
	disk.Expect(plan)
	l.power.loss = loss
	f = l.live(t, nil)
	l.power.loss = powercut.LoseAll // of the undisturbed life that may follow
	count := disk.Count()
	if count.Calls < plan.CutAt && count.Failed == 0 && !f.closed {
		l.finding("undisturbed, it did not end well: refused %q, exit code %d, %s", f.refused, f.exitCode, f.stderr)
		past := disk.Past()
		t.Log("what befell the names on its disk:\n" + strings.Join(past[max(0, len(past)-pastShown):], "\n"))
	}
	return f, count.Failed > 0
}

// pastShown is how much of a disk's past tells where a file went.
const pastShown = 200

// TestAKillWhileDirectoriesAreMade kills a writer at each of its first calls, with
// which it makes the store's directory. The next one finds a directory that is
// there and not safe, and what it acknowledges must outlast a power cut.
func TestAKillWhileDirectoriesAreMade(t *testing.T) {
	needPower(t)
	for at := 1; at <= 6; at++ {
		l := newLineage(t.TempDir(), uint64(at))
		l.power = &power{disk: powercut.NewDisk(), loss: powercut.KeepAll}
		l.power.disk.Expect(powercut.Plan{CutAt: at})
		l.live(t, nil)
		l.power.loss = powercut.LoseAll
		l.undisturbed(t)
		require.Empty(t, l.findings, "killed at call %d", at)
	}
}
