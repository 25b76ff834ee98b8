package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"

	"github.com/dyad-db/dyad/dbnode/store"
)

// steps is an endless row of steps on one store, numbered from 1.
type steps struct{ seed uint64 }

// counterKey holds the number of the step that wrote it: each does.
const counterKey = "counter"

// event is what a writer does before a step.
type event int

const (
	nothing event = iota
	compact       // and go on writing meanwhile
	reopen
)

func (s steps) rand(n int, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed+stream, uint64(n)))
}

func (s steps) event(n int) event {
	switch r := s.rand(n, 1).IntN(120); {
	case r < 3:
		return compact
	case r < 5:
		return reopen
	}
	return nothing
}

// window is how many steps may be under way at once.
func (s steps) window() int { return 1 << s.rand(0, 2).IntN(7) }

// ops is step n: some changes of few keys, so that most are overwritten.
func (s steps) ops(n int) []store.Op {
	r := s.rand(n, 0)
	ops := []store.Op{{Key: []byte(counterKey), Value: strconv.AppendInt(nil, int64(n), 10)}}
	for range 1 + r.IntN(4) {
		op := store.Op{Key: fmt.Appendf(nil, "r%03d", r.IntN(200)), Delete: r.IntN(5) == 0}
		if !op.Delete {
			op.Value = value(r)
		}
		ops = append(ops, op)
	}
	return ops
}

// value is mostly as long as a user's; a few fill several blocks of a log.
func value(r *rand.Rand) []byte {
	size := 40 + r.IntN(200)
	switch r.IntN(40) {
	case 0:
		size = 30_000 + r.IntN(120_000)
	case 1, 2, 3:
		size = 1000 + r.IntN(10_000)
	case 4:
		size = 0
	}
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], r.Uint64())
	return bytes.Repeat(word[:], size/8+1)[:size]
}

// apply makes step n of a map.
func (s steps) apply(n int, content map[string]string) {
	for _, op := range s.ops(n) {
		if op.Delete {
			delete(content, string(op.Key))
		} else {
			content[string(op.Key)] = sum(op.Value)
		}
	}
}

// sum stands for a value.
func sum(value []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(value) // it never fails
	return fmt.Sprintf("%d:%016x", len(value), h.Sum64())
}
