package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

// TestPowerCuts cuts the power instead of a random call of a writer that changes
// or syncs something on its disk; before, in some lives, a sync fails.
func TestPowerCuts(t *testing.T) {
	unmount, err := powercut.Mount(powercut.NewDisk(), t.TempDir())
	if errors.Is(err, powercut.ErrNoFUSE) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, unmount())

	s := newSeries(t)
	begin := func(l *lineage) { l.power = &power{disk: powercut.NewDisk(), rand: s.rand} }
	s.run(number(t, "DYAD_CUTS", 10), begin, func(l *lineage) (life, string) {
		plan := powercut.Plan{CutAt: 1 + s.rand.IntN(1+s.rand.IntN(500))}
		if s.rand.IntN(3) == 0 {
			plan.FailAt = 1 + s.rand.IntN(1+s.rand.IntN(100))
		}
		disk := l.power.disk
		disk.Expect(plan)
		l.power.loss = powercut.AnyLoss(s.rand)
		f := l.live(t, nil)
		kind := fmt.Sprint(l.power.loss)
		failed := disk.Count().Failed > 0
		if failed {
			kind += " after a failed sync"
		}
		cut := disk.Count().Calls >= plan.CutAt
		if !cut && !failed && !f.closed {
			l.finding("undisturbed, it did not end well: refused %q, exit code %d, %s", f.refused, f.exitCode, f.stderr)
		}
		l.power.loss = powercut.LoseAll // of the undisturbed life that may follow
		return f, kind
	})
}
