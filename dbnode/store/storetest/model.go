package storetest

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/dbnode/store"
)

// model is a store under test beside the map that it must equal.
type model struct {
	h       Harness
	s       store.Store
	content map[string]string
}

// testModel compares the store with a map over random histories.
func testModel(t *testing.T, medium func(t *testing.T) Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{h: medium(t), content: map[string]string{}}
		m.open(rt)
		defer func() { require.NoError(rt, m.s.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"write":   m.write,
			"get":     m.get,
			"scan":    func(rt *rapid.T) { m.scan(rt, key(rt), key(rt)) },
			"restart": m.restart,
			"":        func(rt *rapid.T) { m.scan(rt, nil, nil) },
		})
	})
}

// key draws from few short keys, which collide and prefix one another.
func key(rt *rapid.T) []byte {
	return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 1, 3).Draw(rt, "key")
}

func (m *model) open(rt *rapid.T) {
	var err error
	m.s, err = m.h.Open()
	require.NoError(rt, err)
}

// step draws a step and applies it to the map.
func (m *model) step(rt *rapid.T) []store.Op {
	var ops []store.Op
	for range rapid.IntRange(0, 4).Draw(rt, "ops") {
		op := store.Op{Key: key(rt), Delete: rapid.Bool().Draw(rt, "delete")}
		if op.Delete {
			delete(m.content, string(op.Key))
		} else {
			op.Value = rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(rt, "value")
			m.content[string(op.Key)] = string(op.Value)
		}
		ops = append(ops, op)
	}
	return ops
}

func (m *model) write(rt *rapid.T) {
	var results []<-chan error
	for range rapid.IntRange(1, 4).Draw(rt, "steps") {
		results = append(results, result(m.s, m.step(rt)...))
	}
	for _, r := range results {
		require.NoError(rt, <-r)
	}
}

func (m *model) get(rt *rapid.T) {
	k := key(rt)
	got, err := m.s.Get(k)
	require.NoError(rt, err)
	want, ok := m.content[string(k)]
	require.Equal(rt, ok, got != nil)
	require.Equal(rt, want, string(got))
}

func (m *model) scan(rt *rapid.T, from, to []byte) {
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.content)) {
		if k >= string(from) && (len(to) == 0 || k < string(to)) {
			want = append(want, k, m.content[k])
		}
	}
	var got []string
	require.NoError(rt, m.s.Scan(from, to, func(k, v []byte) bool {
		got = append(got, string(k), string(v))
		return true
	}))
	require.Equal(rt, want, got)
}

// restart is rarer than the other actions because it is by far the slowest.
func (m *model) restart(rt *rapid.T) {
	if rapid.IntRange(0, 2).Draw(rt, "luck") > 0 {
		rt.Skip("not this time")
	}
	if rapid.Bool().Draw(rt, "crash") {
		m.crash(rt)
		return
	}
	require.NoError(rt, m.s.Close())
	m.open(rt)
}

// crash happens with some steps under way, of which a prefix may survive.
func (m *model) crash(rt *rapid.T) {
	possible := []map[string]string{maps.Clone(m.content)}
	for range rapid.IntRange(0, 4).Draw(rt, "under way") {
		m.s.Write(m.step(rt), func(error) {})
		possible = append(possible, maps.Clone(m.content))
	}
	m.h.Crash()
	m.open(rt)
	m.content = map[string]string{}
	require.NoError(rt, m.s.Scan(nil, nil, func(k, v []byte) bool {
		m.content[string(k)] = string(v)
		return true
	}))
	require.True(rt, slices.ContainsFunc(possible, func(state map[string]string) bool {
		return maps.Equal(state, m.content)
	}), "%q is none of %q", m.content, possible)
}
