package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

func testScan(t *testing.T, h Harness) {
	s := open(t, h)
	require.Empty(t, pairs(t, s, nil, nil))
	sorted := []string{"\x00", "\x00\x00", "\x00\xff", "a", "a\x00", "a\x00b", "ab", "b", "\x7f", "\x80", "\xff", "\xff\xff"}
	for i := range sorted { // written out of order
		key := sorted[(i*5)%len(sorted)]
		write(t, s, put(key, ""))
	}
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"", "", sorted},
		{"", "\x00", nil},
		{"", "\x00\x00", sorted[:1]},
		{"a", "b", sorted[3:7]},
		{"a", "a", nil},
		{"b", "a", nil},
		{"a\x00", "a\x00b", sorted[4:5]},
		{"aa", "bb", sorted[6:8]},
		{"c", "\x7f", nil},
		{"\x80", "", sorted[9:]},
		{"\xff\xff\xff", "", nil},
	} {
		want := []string{}
		for _, key := range test.want {
			want = append(want, key, "")
		}
		require.Equal(t, want, pairs(t, s, []byte(test.from), []byte(test.to)), "[%q, %q)", test.from, test.to)
	}

	var seen []string
	require.NoError(t, s.Scan([]byte("a"), nil, func(key, value []byte) bool {
		require.NotNil(t, value)
		seen = append(seen, string(key))
		return len(seen) < 3
	}))
	require.Equal(t, sorted[3:6], seen)
}

func testSnapshot(t *testing.T, h Harness) {
	s := open(t, h)
	write(t, s, put("a", "1"), put("b", "1"), put("c", "1"), put("d", "1"))
	var seen []string
	require.NoError(t, s.Scan(nil, nil, func(key, value []byte) bool {
		if len(seen) == 0 { // writing and reading meanwhile is allowed
			write(t, s, put("a", "2"), put("b", "2"), del("c"), put("bb", "2"))
			requireGet(t, s, "b", []byte("2"))
			require.Equal(t, []string{"a", "2", "b", "2"}, pairs(t, s, nil, []byte("bb")))
		}
		seen = append(seen, string(key), string(value))
		return true
	}))
	require.Equal(t, []string{"a", "1", "b", "1", "c", "1", "d", "1"}, seen)
	require.Equal(t, []string{"a", "2", "b", "2", "bb", "2", "d", "1"}, pairs(t, s, nil, nil))
}

func testUsage(t *testing.T, h Harness) {
	s := open(t, h)
	before, err := s.Usage()
	require.NoError(t, err)
	write(t, s, store.Op{Key: []byte("k"), Value: make([]byte, 100_000)})
	after, err := s.Usage()
	require.NoError(t, err)
	require.GreaterOrEqual(t, after-before, int64(100_000))
}
