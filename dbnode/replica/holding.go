package replica

import (
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// Holding is how much a partition holds, including what is on its way to disk.
type Holding struct {
	Records    int64 `json:"records"`    // without tombstones
	Tombstones int64 `json:"tombstones"` // deleted users whose deletion is still kept
	Bytes      int64 `json:"bytes"`      // of keys and stored values, before compression
	Documents  int64 `json:"documents"`  // bytes of the users' documents alone
}

func (h *Holding) add(o Holding) {
	h.Records += o.Records
	h.Tombstones += o.Tombstones
	h.Bytes += o.Bytes
	h.Documents += o.Documents
}

// count takes in a record of that key, or out of the sums when sign is -1.
func (h *Holding) count(key string, r register.Record, sign int64) {
	switch {
	case r.Blank():
		return
	case r.Tombstone:
		h.Tombstones += sign
	default:
		h.Records += sign
	}
	h.Bytes += sign * int64(recordKeyHead+len(key)+recordOverhead+len(r.Doc))
	h.Documents += sign * int64(len(r.Doc))
}

// enter takes a record into the sums, leave takes it out.
func (p *partition) enter(key string, r register.Record) { p.sum(key, r, +1) }
func (p *partition) leave(key string, r register.Record) { p.sum(key, r, -1) }

func (p *partition) sum(key string, r register.Record, sign int64) {
	if r.Blank() {
		return
	}
	if sign > 0 && (p.held == Holding{} || r.Ballot.Time < p.since) {
		p.since = r.Ballot.Time
	}
	p.held.count(key, r, sign)
	p.digest.Toggle(placement.Hash(key), r.Ballot.Time, r.Ballot.Proposer)
}
