package rocks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

// crashed returns a directory as a power cut leaves it: ten records, each in a
// batch of its own, all in the log. The last is longer than a block of the log.
func crashed(t *testing.T) (dir, log string) {
	t.Helper()
	s := open(t, t.TempDir())
	for i := range 9 {
		write(t, s, put(fmt.Sprintf("k%d", i), fmt.Sprintf("value %d", i)))
	}
	write(t, s, put("k9", "begin "+strings.Repeat("x", 3*walBlock)+" end"))
	dir = t.TempDir()
	copyLive(t, s, dir)
	require.NoError(t, s.Close())
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	return dir, logs[0]
}

func firstKeys(n int) []string {
	keys := []string{}
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	return keys
}

func TestTornLastBatchIsDropped(t *testing.T) {
	for name, tear := range map[string]func(log []byte) []byte{
		"cut": func(log []byte) []byte { return log[:len(log)-walBlock] },
		"cut in a header": func(log []byte) []byte {
			return log[:bytes.Index(log, []byte("begin"))-20]
		},
		"garbage at the end": func(log []byte) []byte {
			copy(log[len(log)-3:], "???")
			return log
		},
		"first part missing": func(log []byte) []byte {
			log[bytes.Index(log, []byte("begin"))]++
			return log
		},
		"middle never written": func(log []byte) []byte {
			clear(log[walBlock : 2*walBlock])
			return log
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := crashed(t)
			log, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, tear(log), 0o600))
			s := open(t, dir)
			require.Equal(t, firstKeys(9), keys(t, s))
			write(t, s, put("k9", "again"))
			require.NoError(t, s.Close())
			require.Equal(t, firstKeys(10), keys(t, open(t, dir)))
		})
	}
}

func TestDamageToAnAcknowledgedBatchIsRefused(t *testing.T) {
	for name, damage := range map[string]func(log []byte){
		"value":  func(log []byte) { log[bytes.Index(log, []byte("value 3"))]++ },
		"length": func(log []byte) { log[4]++ },
		"type":   func(log []byte) { log[6] = 0xff },
		"erased": func(log []byte) { clear(log[:60]) },
		"the one before the last": func(log []byte) {
			log[bytes.Index(log, []byte("value 8"))]++
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := crashed(t)
			log, err := os.ReadFile(file)
			require.NoError(t, err)
			whole := slices.Clone(log)
			damage(log)
			require.NoError(t, os.WriteFile(file, log, 0o600))
			_, err = Open(dir)
			require.ErrorContains(t, err, dir)
			require.ErrorIs(t, err, store.ErrDamaged, "so that the node is rebuilt")

			// The refusal itself did no harm.
			require.NoError(t, os.WriteFile(file, whole, 0o600))
			require.Equal(t, firstKeys(10), keys(t, open(t, dir)))
		})
	}
}

func TestDamagedTableIsAnError(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ops, _ := users(1000)
	load(t, s, ops)
	require.NoError(t, s.Compact())
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	table, err := os.ReadFile(tables[0])
	require.NoError(t, err)
	for i := range 20_000 { // data blocks come first
		table[i] ^= 0xff
	}
	require.NoError(t, os.WriteFile(tables[0], table, 0o600))

	s = open(t, dir)
	failed := 0
	for _, op := range ops {
		got, err := s.Get(op.Key)
		if err != nil {
			require.ErrorIs(t, err, store.ErrDamaged)
			failed++
			continue
		}
		require.Equal(t, op.Value, got)
	}
	require.Positive(t, failed)
	err = s.Scan(nil, nil, func(_, _ []byte) bool { return true })
	require.ErrorContains(t, err, "scan of "+dir)
	require.ErrorIs(t, err, store.ErrDamaged)
}

func TestOnlyTheNewestLogMayBeTorn(t *testing.T) {
	_, file := crashed(t)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	torn := whole[:len(whole)-100]
	for name, test := range map[string]struct {
		logs map[string][]byte
		want bool
	}{
		"no log":          {nil, false},
		"whole":           {map[string][]byte{"000007.log": whole}, false},
		"torn":            {map[string][]byte{"000007.log": torn}, true},
		"newest torn":     {map[string][]byte{"999999.log": whole, "1000000.log": torn}, true},
		"older torn":      {map[string][]byte{"999999.log": torn, "1000000.log": whole}, false},
		"newest is empty": {map[string][]byte{"999999.log": torn, "1000000.log": nil}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for log, content := range test.logs {
				require.NoError(t, os.WriteFile(filepath.Join(dir, log), content, 0o600))
			}
			got, err := tornAtEnd(dir)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
