package dbnode

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

func TestReserve(t *testing.T) {
	for total, want := range map[int64]int64{
		128 * mib: 64 * mib, gib: 64 * mib, 2 * gib: 2 * gib / 20, 4 * gib: 4 * gib / 20, 6 * gib: 256 * mib, 1000 * gib: 256 * mib,
	} {
		require.Equal(t, want, reserve(total), total)
	}
}

// fakeDisk is a disk of 1000 GiB and the replica that is told of it.
type fakeDisk struct {
	free     int64
	err      error
	readOnly bool
}

func (d *fakeDisk) Space() (store.Space, error) {
	return store.Space{Free: d.free, Total: 1000 * gib}, d.err
}
func (d *fakeDisk) ReadOnly() bool            { return d.readOnly }
func (d *fakeDisk) SetReadOnly(readOnly bool) { d.readOnly = readOnly }

func TestNodeIsReadOnlyWhileItsDiskIsFull(t *testing.T) {
	disk := &fakeDisk{}
	w := &spaceWorker{node: "db-0", store: disk, replica: disk, logger: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		free     int64
		readOnly bool
		why      string
	}{
		{gib, false, "plenty"},
		{256 * mib, false, "the reserve and not more"},
		{256*mib - 1, true, "less than the reserve"},
		{256 * mib, true, "not enough to go on"},
		{320*mib - 1, true, "nor that"},
		{320 * mib, false, "a quarter more than the reserve"},
		{256 * mib, false, "it does not flap"},
		{0, true, "nothing at all"},
	} {
		disk.free = c.free
		busy, err := w.Step(t.Context())
		require.NoError(t, err)
		require.False(t, busy)
		require.Equal(t, c.readOnly, disk.readOnly, c.why)
	}
	disk.free, disk.err = gib, errors.New("no such device")
	_, err := w.Step(t.Context())
	require.ErrorIs(t, err, disk.err)
	require.True(t, disk.readOnly, "what was known last stands")
}

func TestMediumWithoutABoundIsNeverFull(t *testing.T) {
	require.False(t, tooFull(store.Space{}, false))
	require.False(t, tooFull(store.Space{}, true))
}
