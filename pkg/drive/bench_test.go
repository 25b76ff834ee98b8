package drive_test

import (
	"testing"
	"time"

	"github.com/dyad-db/dyad/pkg/drive"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// agreeing are nodes that answer everything at once, and hold the same.
type agreeing struct{}

// Send satisfies drive.Nodes.
func (agreeing) Send(_ int, _ register.Request, _ time.Time, reply func(register.Reply)) {
	b := register.Ballot{Time: 1}
	reply(register.Reply{Verdict: register.VerdictYes, Record: register.Record{Ballot: b, Op: b}, Epoch: 1, Sole: true})
}

// SendLazy satisfies drive.Nodes.
func (agreeing) SendLazy(int, register.Request) {}

// Up satisfies drive.Nodes.
func (agreeing) Up(int) bool { return true }

// BenchmarkOperation is what an operation costs beside the nodes' work and the way to them.
func BenchmarkOperation(b *testing.B) {
	places, err := placement.New(placement.DefaultPartitions)
	if err != nil {
		b.Fatal(err)
	}
	d := drive.New(drive.Config{
		Nodes: agreeing{}, Places: places, Proposer: 1, Hedge: drive.DefaultHedge(),
		Jitter: func(time.Duration) time.Duration { return 0 },
	})
	for name, change := range map[string]register.Change{"read": nil, "write": set("{}")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Do(b.Context(), within(time.Second, "k", change)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
