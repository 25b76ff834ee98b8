package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/tests/storage/powercut"
)

// powered is a disk that is mounted for a node.
type powered struct {
	dir     string
	disk    *powercut.Disk
	unmount func() error
}

func (d *powered) mount(t *testing.T) {
	t.Helper()
	var err error
	d.unmount, err = powercut.Mount(d.disk, d.dir)
	if errors.Is(err, powercut.ErrNoFUSE) {
		t.Skip(err)
	}
	require.NoError(t, err)
}

// testPowerCuts cuts the power of all nodes at the same moment. Of what was not
// synced each disk keeps anything or nothing.
func testPowerCuts(t *testing.T, bin string) {
	p := &processes{bin: bin, dir: t.TempDir()}
	var disks [placement.Nodes]powered
	for i := range disks {
		disks[i] = powered{dir: p.dataDir(i), disk: powercut.NewDisk()}
		require.NoError(t, os.Mkdir(disks[i].dir, 0o700))
		disks[i].mount(t)
		t.Cleanup(func() { require.NoError(t, disks[i].unmount()) }) // once its node is gone
	}
	p.start(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	crash := func() {
		for _, node := range p.node {
			node.Freeze() // else they would end by themselves, which is no cut
		}
		for i := range disks {
			disks[i].disk.CutNow()
		}
		p.killNodes()
	}
	mend := func() {
		for i := range disks {
			d := &disks[i]
			require.NoError(t, d.unmount())
			loss := powercut.AnyLoss(r)
			t.Logf("db-%d: %v, of %+v", i, loss, d.disk.Count())
			d.disk = d.disk.After(loss, r)
			d.mount(t)
		}
	}
	testCrashes(t, p, size(t, "DYAD_NODE_CUTS", 1), crash, mend)
}
