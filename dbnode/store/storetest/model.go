package storetest

import (
	"bytes"
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
	did     map[string]int // how often each thing was done, over all histories
}

// testModel compares the store with a map over random histories. -rapid.checks
// says how many, -rapid.steps how long they are, -rapid.seed replays.
func testModel(t *testing.T, medium func(t *testing.T) Harness) {
	did := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{h: medium(t), content: map[string]string{}, did: did}
		if m.h.Remove != nil {
			defer func() { m.h.Remove() }()
		}
		m.open(rt)
		defer func() { require.NoError(rt, m.s.Close()) }()
		did["histories"]++
		rt.Repeat(map[string]func(*rapid.T){
			"write":   m.write,
			"get":     m.get,
			"scan":    m.scanSome,
			"overlap": m.overlap,
			"compact": m.compact,
			"copy":    m.copy,
			"restart": m.restart,
			"":        func(rt *rapid.T) { m.scan(rt, nil, nil, nil) },
		})
	})
	t.Logf("did %v", did)
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

// value draws a short value, or one that fills a block of a log, or more.
func value(rt *rapid.T) []byte {
	if size := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 300, 5000, 40_000}).Draw(rt, "size"); size > 0 {
		return bytes.Repeat([]byte{rapid.Byte().Draw(rt, "fill")}, size)
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(rt, "value")
}

// step draws a step and applies it to the map.
func (m *model) step(rt *rapid.T) []store.Op {
	var ops []store.Op
	for range rapid.IntRange(0, 4).Draw(rt, "ops") {
		op := store.Op{Key: key(rt), Delete: rapid.Bool().Draw(rt, "delete")}
		if op.Delete {
			delete(m.content, string(op.Key))
		} else {
			op.Value = value(rt)
			m.content[string(op.Key)] = string(op.Value)
		}
		ops = append(ops, op)
	}
	m.did["steps"]++
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

func (m *model) scanSome(rt *rapid.T) {
	limit := rapid.IntRange(1, 20).Draw(rt, "limit")
	m.scan(rt, key(rt), key(rt), func() bool { limit--; return limit > 0 })
}

// overlap changes the store while it is scanned: the scan doesn't show that.
func (m *model) overlap(rt *rapid.T) {
	before, changed := m.content, false
	m.content = maps.Clone(before)
	m.compare(rt, before, nil, nil, func() bool {
		if !changed {
			require.NoError(rt, <-result(m.s, m.step(rt)...))
		}
		changed = true
		return true
	})
	m.did["overlaps"]++
}

func (m *model) scan(rt *rapid.T, from, to []byte, more func() bool) {
	m.compare(rt, m.content, from, to, more)
}

// compare scans the store beside a map; more, if there is one, says after each
// key whether the scan is to go on.
func (m *model) compare(rt *rapid.T, content map[string]string, from, to []byte, more func() bool) {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(content)) {
		if k >= string(from) && (len(to) == 0 || k < string(to)) {
			keys = append(keys, k)
		}
	}
	n, stopped := 0, false
	require.NoError(rt, m.s.Scan(from, to, func(k, v []byte) bool {
		require.False(rt, stopped, "the scan was stopped")
		require.Less(rt, n, len(keys), "%q is not expected", k)
		require.Equal(rt, keys[n], string(k))
		require.True(rt, content[keys[n]] == string(v), "the value of %q: %.20q, not %.20q", k, v, content[keys[n]])
		n++
		stopped = more != nil && !more()
		return !stopped
	}))
	require.True(rt, stopped || n == len(keys), "%d keys of %d", n, len(keys))
}

// rarely spares a history what takes long.
func rarely(rt *rapid.T) {
	if rapid.IntRange(0, 2).Draw(rt, "luck") > 0 {
		rt.Skip("not this time")
	}
}

// underWay hands over some steps without waiting, and returns the states that a
// store may show meanwhile.
func (m *model) underWay(rt *rapid.T) (possible []map[string]string) {
	possible = append(possible, maps.Clone(m.content))
	for range rapid.IntRange(0, 4).Draw(rt, "under way") {
		m.s.Write(m.step(rt), func(error) {})
		possible = append(possible, maps.Clone(m.content))
	}
	return possible
}

// shown returns what a store shows, which must be one of the possible states.
func shown(rt *rapid.T, s store.Store, possible []map[string]string) map[string]string {
	content := map[string]string{}
	require.NoError(rt, s.Scan(nil, nil, func(k, v []byte) bool {
		content[string(k)] = string(v)
		return true
	}))
	require.True(rt, slices.ContainsFunc(possible, func(state map[string]string) bool {
		return maps.Equal(state, content)
	}), "%.200q is none of %.2000q", content, possible)
	return content
}

func (m *model) compact(rt *rapid.T) {
	if m.h.Compact == nil {
		rt.Skip("there is nothing to compact")
	}
	rarely(rt)
	m.underWay(rt)
	require.NoError(rt, m.h.Compact())
	require.NoError(rt, <-result(m.s))
	m.did["compactions"]++
}

// copy makes a copy with some steps under way, of which a prefix may be in it.
func (m *model) copy(rt *rapid.T) {
	rarely(rt)
	possible := m.underWay(rt)
	h, err := m.h.Copy()
	require.NoError(rt, err)
	if h.Remove != nil {
		defer h.Remove()
	}
	require.NoError(rt, <-result(m.s))
	s, err := h.Open()
	require.NoError(rt, err)
	shown(rt, s, possible)
	require.NoError(rt, s.Close())
	m.did["copies"]++
}

func (m *model) restart(rt *rapid.T) {
	rarely(rt)
	if rapid.Bool().Draw(rt, "crash") {
		m.crash(rt)
		return
	}
	m.underWay(rt)
	require.NoError(rt, m.s.Close())
	m.open(rt)
	m.did["restarts"]++
}

// crash happens with some steps under way, of which a prefix may survive.
func (m *model) crash(rt *rapid.T) {
	possible := m.underWay(rt)
	m.h.Crash()
	m.open(rt)
	m.content = shown(rt, m.s, possible)
	m.did["crashes"]++
}
