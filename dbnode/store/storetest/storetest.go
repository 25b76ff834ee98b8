// Package storetest is the contract of store.Store as tests. Every engine runs
// them, so what a node was tested on holds for all of them.
package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

// Harness is one medium and what can happen to it.
type Harness struct {
	// Open opens the store on the medium.
	Open func() (store.Store, error)
	// Crash ends the open store as a power cut would. The next Open finds what
	// outlived it. The test doesn't use the old store any more.
	Crash func()
	// Break makes the next write of the open store fail. Nil when the engine has
	// no way to bring that about here.
	Break func()
	// Compact rewrites the open store to its smallest form. Nil when there is none.
	Compact func() error
	// Copy makes a medium that holds what the open store shows at one moment.
	Copy func() (Harness, error)
	// Remove gives up the medium, which is not open. Nil when that costs nothing.
	Remove func()
}

// Run tests an engine. Each test gets an empty medium of its own.
func Run(t *testing.T, medium func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"get", testGet},
		{"bytes belong to the caller", testOwnership},
		{"later op wins", testLaterOpWins},
		{"delete", testDelete},
		{"dones run in order", testOrder},
		{"barrier", testBarrier},
		{"step is atomic", testAtomic},
		{"large steps and long queues", testLarge},
		{"concurrent writers", testConcurrent},
		{"scan", testScan},
		{"scan is a snapshot", testSnapshot},
		{"usage", testUsage},
		{"close drains", testCloseDrains},
		{"call after close", testClosed},
		{"second opener", testLocked},
		{"crash keeps a prefix", testCrash},
		{"failed write", testFailure},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, medium(t)) })
	}
	t.Run("model", func(t *testing.T) { testModel(t, medium) })
}

func open(t *testing.T, h Harness) store.Store {
	t.Helper()
	s, err := h.Open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() }) // for a test that fails midway; a second Close is allowed
	return s
}

func put(key, value string) store.Op {
	return store.Op{Key: []byte(key), Value: []byte(value)}
}

func del(key string) store.Op { return store.Op{Key: []byte(key), Delete: true} }

// result queues a step and returns what its done will say.
func result(s store.Store, ops ...store.Op) <-chan error {
	c := make(chan error, 1)
	s.Write(ops, func(err error) { c <- err })
	return c
}

// write is a step that must succeed.
func write(t *testing.T, s store.Store, ops ...store.Op) {
	t.Helper()
	require.NoError(t, <-result(s, ops...))
}

// require.Equal tells nil from empty, as the contract does.
func requireGet(t *testing.T, s store.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Get([]byte(key))
	require.NoError(t, err)
	if want == nil {
		require.Nil(t, got, "key %q", key)
		return
	}
	require.NotNil(t, got, "key %q", key)
	require.Equal(t, string(want), string(got), "key %q", key)
}

// pairs returns what Scan shows, as key, value, key, value...
func pairs(t *testing.T, s store.Store, from, to []byte) []string {
	t.Helper()
	got := []string{}
	require.NoError(t, s.Scan(from, to, func(key, value []byte) bool {
		got = append(got, string(key), string(value))
		return true
	}))
	return got
}
