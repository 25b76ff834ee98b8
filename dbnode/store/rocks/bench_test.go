package rocks

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir())
	const present = 100_000
	ops, _ := users(2 * present)
	absent := ops[present:]
	ops = ops[:present]
	load(b, s, ops)
	require.NoError(b, s.Compact())
	for name, from := range map[string][]store.Op{"present": ops, "absent": absent} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(from[rand.IntN(present)].Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, b.TempDir())
			ops, _ := users(10_000)
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					done := make(chan error, 1)
					for i := w; i < b.N; i += writers {
						at := i % len(ops)
						s.Write(ops[at:at+1:at+1], func(err error) { done <- err })
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(s.Stats().Syncs)/float64(b.N), "syncs/op")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s := open(b, b.TempDir())
	const present = 100_000
	ops, _ := users(present)
	load(b, s, ops)
	require.NoError(b, s.Compact())
	for b.Loop() {
		n := 0
		require.NoError(b, s.Scan(nil, nil, func(_, _ []byte) bool { n++; return true }))
		require.Equal(b, present, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*present), "ns/key")
}
