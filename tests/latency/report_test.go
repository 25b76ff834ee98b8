package latency

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestReport(t *testing.T) {
	w := New(Config{Clients: 2})
	for _, name := range []string{"calm", "storm", "nothing", "end"} {
		w.Enter(name)
	}
	w.clients[0].samples = []sample{{0, 3 * time.Millisecond, correct, false, false}, {1, 251 * time.Millisecond, correct, true, true}, {1, 250 * time.Millisecond, failed, true, false}}
	w.clients[1].samples = []sample{{1, time.Millisecond, wrong, false, false}, {0, time.Millisecond, correct, false, false}, {3, 2 * time.Millisecond, failed, false, false}}
	rows := w.Report(250 * time.Millisecond)
	for i := range rows {
		rows[i].Length, rows[i].Busy, rows[i].Others = 2*time.Second, 0.5, 0.2 // of the clock
	}
	assert.Equal(t, []Row{
		{Phase: "calm", Length: 2 * time.Second, Requests: 2, P50: time.Millisecond, P99: 3 * time.Millisecond, Slowest: 3 * time.Millisecond, Busy: 0.5, Others: 0.2},
		{
			Phase: "storm", Length: 2 * time.Second, Requests: 3, Failed: 1, Wrong: 1, Late: 1, Moved: 2, Doubt: 1, P50: 250 * time.Millisecond,
			P99: 251 * time.Millisecond, Slowest: 251 * time.Millisecond, Busy: 0.5, Others: 0.2,
		},
		{Phase: "nothing", Length: 2 * time.Second, Requests: 1, Failed: 1, P50: 2 * time.Millisecond, P99: 2 * time.Millisecond, Slowest: 2 * time.Millisecond, Busy: 0.5, Others: 0.2},
	}, rows)
	assert.Equal(t, ""+
		"    phase  seconds  requests  /s  failed  wrong  moved  late  p50 ms  p99 ms  slowest ms  CPU %  by others\n"+
		"     calm      2.0         2   1       0      0      0     0     1.0     3.0         3.0     50         20\n"+
		"    storm      2.0         3   2       1      1      2     1   250.0   251.0       251.0     50         20\n"+
		"  nothing      2.0         1   0       1      0      0     0     2.0     2.0         2.0     50         20\n", Table(rows))
}

func TestRank(t *testing.T) {
	var took []time.Duration
	for i := range 200 {
		took = append(took, time.Duration(200-i))
	}
	var r Row
	r.rank(took)
	assert.Equal(t, Row{P50: 100, P99: 198, Slowest: 200}, r)
	r = Row{}
	r.rank(nil)
	assert.Equal(t, Row{}, r)
}

func TestCPU(t *testing.T) {
	before := parseCPU("cpu  100 0 50 800 50 0 0 0 40 0")
	assert.Equal(t, cpuTime{busy: 150, total: 1000}, before)
	assert.Equal(t, cpuTime{}, parseCPU("cpu what"))
	assert.Equal(t, cpuTime{}, parseCPU(""))
}

func TestShare(t *testing.T) {
	before := phase{cpu: parseCPU("cpu  100 0 50 800 50 0 0 0 40 0"), ours: map[int]uint64{1: 10, 2: 30, 3: 7}}
	after := phase{cpu: parseCPU("cpu  130 0 70 820 60 5 5 10 70 0"), ours: map[int]uint64{1: 20, 2: 50, 4: 5}} // 3 was killed, 4 is new
	busy, others := after.share(before)
	assert.InDelta(t, 0.7, busy, 1e-9)
	assert.InDelta(t, 0.35, others, 1e-9)
	busy, others = before.share(after)
	assert.Zero(t, busy)
	assert.Zero(t, others)
}

func TestTicks(t *testing.T) {
	assert.EqualValues(t, 42, parseTicks([]byte("17 (a) b ) S 1 2 3 4 5 6 7 8 9 10 40 2 99 99 20")))
	assert.Zero(t, parseTicks(nil))
	used := New(Config{PIDs: func() []int { return []int{-1} }}).ticks()
	assert.Len(t, used, 1, "this process, and not one that is gone")
}
