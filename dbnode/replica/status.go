package replica

import (
	"sync/atomic"

	"github.com/dyad-db/dyad/pkg/register"
)

// Counters count the messages that reached the acceptors since the start.
type Counters struct {
	messages   [2][register.KindCollect + 1]atomic.Int64 // data replica or witness, kind
	unreadable atomic.Int64
}

func (c *Counters) count(k register.Kind, seat int) {
	if k > register.KindCollect {
		return
	}
	role := 0
	if seat == register.SeatW {
		role = 1
	}
	c.messages[role][k].Add(1)
}

// Messages are counts by kind.
type Messages struct {
	Read    int64 `json:"read"`
	Prepare int64 `json:"prepare"`
	Accept  int64 `json:"accept"`
	Chosen  int64 `json:"chosen"`
}

// Status is what a replica says of itself.
type Status struct {
	Identity   Identity        `json:"identity"`
	Data       Holding         `json:"data"`       // as data replica
	Hints      map[int]Holding `json:"hints"`      // as witness, by partition; only where there are any
	Oldest     map[int]int64   `json:"oldest"`     // where there are hints: none of the partition's was written earlier, microseconds since the Unix epoch
	Voting     int             `json:"voting"`     // partitions in which this node may vote; all, unless it is joining
	AsData     Messages        `json:"as_data"`    // messages taken as data replica
	AsWitness  Messages        `json:"as_witness"` // messages taken as witness
	Unreadable int64           `json:"unreadable"` // requests refused because the stored record could not be read
}

// Status returns a snapshot; each partition's part is consistent in itself.
func (r *Replica) Status() Status {
	s := Status{
		Identity:   r.Identity(),
		Hints:      map[int]Holding{},
		Oldest:     map[int]int64{},
		AsData:     r.counters.read(0),
		AsWitness:  r.counters.read(1),
		Unreadable: r.counters.unreadable.Load(),
	}
	for id, p := range r.parts {
		p.mu.Lock()
		if !p.acc.Joining() {
			s.Voting++
		}
		if r.Lost() == nil { // else the sums are of what could be read
			_ = r.count(p)
		}
		held, since := p.held, p.since
		p.mu.Unlock()
		if p.seat != register.SeatW {
			s.Data.add(held)
			continue
		}
		if held != (Holding{}) {
			s.Hints[id], s.Oldest[id] = held, since
		}
	}
	return s
}

func (c *Counters) read(role int) Messages {
	m := &c.messages[role]
	return Messages{
		Read:    m[register.KindRead].Load(),
		Prepare: m[register.KindPrepare].Load(),
		Accept:  m[register.KindAccept].Load(),
		Chosen:  m[register.KindChosen].Load(),
	}
}
