package drills

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/latency"
)

// drillFlippedByte flips one byte in a file of each kind, at another node each
// time, while the node is stopped: nobody gets a wrong answer, and the node is
// whole again by itself.
func drillFlippedByte(t *testing.T, s sizes) {
	users := s.users(20_000)
	c := latency.StartCluster(t, gateways)
	l := latency.Start(t, c, load(users))
	for i, pattern := range []string{"*.log", "MANIFEST-*", "*.sst"} {
		compact(t, c.URLs[i]) // so that there are files of each kind
		l.Suffer(latency.Fault{
			Victim: c.Name(i), What: "flipped in " + pattern, Away: time.Second,
			Do: func() {
				c.Programs[i].Kill()
				flip(t, filepath.Join(c.DataDir(i), "store", pattern))
			},
			Undo: c.Programs[i].Start,
		})
	}
	conclude(t, l, c.Nodes())
}

// flip inverts a byte in the middle of the largest file of that pattern.
func flip(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var largest string
	var content []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		if len(b) > len(content) {
			largest, content = name, b
		}
	}
	require.NotEmpty(t, content, "no file to damage: %s", pattern)
	content[len(content)/2] ^= 0xff
	require.NoError(t, os.WriteFile(largest, content, 0o600))
}

// compact has nodes rewrite their stores to the smallest form.
func compact(t *testing.T, nodes ...string) {
	t.Helper()
	for _, node := range nodes {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, node+wire.PathCompact, http.NoBody)
		require.NoError(t, err)
		reply, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		require.Less(t, reply.StatusCode, 300, reply.Status)
	}
}
