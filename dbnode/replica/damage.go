package replica

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
)

// maxDamaged bounds the damaged records that a node keeps track of. A disk with
// more of them is not worth mending.
const maxDamaged = 1024

var errTooManyDamaged = fmt.Errorf("more than %d records are damaged", maxDamaged)

// damages is what a replica knows of its disk's state.
type damages struct {
	found  atomic.Int64 // damaged records met since the start
	healed atomic.Int64 // of these, replaced
	lost   atomic.Pointer[error]
}

// DamageCount counts damaged records since the start.
type DamageCount struct {
	Found  int64
	Healed int64 // of these, replaced by a whole one
}

// DamageCount returns the counts so far.
func (r *Replica) DamageCount() DamageCount {
	return DamageCount{Found: r.damages.found.Load(), Healed: r.damages.healed.Load()}
}

// Lost returns why the disk can't be relied on any more, though it can be read in
// parts: nil while it can. The node should be rebuilt on another disk as soon as
// both others can do without it.
func (r *Replica) Lost() error {
	if err := r.damages.lost.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *Replica) lose(err error) { r.damages.lost.CompareAndSwap(nil, &err) }

// noteError keeps in mind that the store can't read what it holds.
func (r *Replica) noteError(err error) {
	if errors.Is(err, store.ErrDamaged) {
		r.lose(err)
	}
}

// damage notes that the record of key is damaged and returns the bar above which
// it may be replaced; false if there are too many of them. p.mu is held.
func (r *Replica) damage(p *partition, key string) (bar register.Ballot, ok bool) {
	p.recent.drop(key)
	if bar, known := p.damaged[key]; known {
		return bar, true
	}
	if r.damages.found.Load()-r.damages.healed.Load() >= maxDamaged {
		r.lose(errTooManyDamaged)
		return register.Ballot{}, false
	}
	if p.damaged == nil {
		p.damaged = make(map[string]register.Ballot)
	}
	r.damages.found.Add(1)
	bar = p.acc.DamageBar()
	p.damaged[key] = bar
	p.uncounted = true // what it added to the sums is not known any more
	return bar, true
}

// mended takes note that a whole record replaces that of key. p.mu is held.
func (r *Replica) mended(p *partition, key string) {
	if _, ok := p.damaged[key]; ok {
		delete(p.damaged, key)
		r.damages.healed.Add(1)
	}
}

// inspect notes the damage of a record that a scan found, if it is still there.
func (r *Replica) inspect(p *partition, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent.drop(key) // it is the disk that counts
	if _, _, err := r.load(p, key); errors.Is(err, ErrChecksum) {
		r.damage(p, key)
	}
}

// stepDamaged answers a request whose record could not be loaded. p.mu is held.
func (r *Replica) stepDamaged(p *partition, q register.Request, err error) (register.Reply, register.Effects) {
	r.counters.unreadable.Add(1)
	if !errors.Is(err, ErrChecksum) {
		r.noteError(err)
		return register.Reply{Verdict: register.VerdictUnable}, register.Effects{}
	}
	bar, ok := r.damage(p, q.Key)
	if !ok {
		return register.Reply{Verdict: register.VerdictUnable}, register.Effects{}
	}
	return p.acc.StepDamaged(r.cfg.Now(), q, bar)
}

// Damaged returns the damaged records that are known and not replaced, by
// partition and key; maxDamaged at most.
func (r *Replica) Damaged() []register.Damage {
	var out []register.Damage
	for _, p := range r.parts {
		p.mu.Lock()
		for key, bar := range p.damaged {
			// The floor may have risen since: what it bars would only be refused.
			out = append(out, register.Damage{Partition: p.id, Key: key, Bar: register.Max(bar, p.acc.Durable().Floor)})
		}
		p.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b register.Damage) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Check reads records of a partition in key order, from keys after the given one,
// up to limit of them and somewhat over maxBytes, and notes those that are
// damaged. last is the last key seen; more says that others follow.
func (r *Replica) Check(partition uint16, after string, limit, maxBytes int) (last string, checked int, more bool, err error) {
	p := r.parts[partition]
	_, to := recordRange(partition)
	var bad []string
	size := 0
	err = r.store.Scan(recordKey(partition, after), to, func(key, value []byte) bool {
		name := string(key[recordKeyHead:])
		if name == after && after != "" {
			return true
		}
		if checked == limit || size > maxBytes {
			more = true
			return false
		}
		last = name
		checked++
		size += len(value)
		if _, err := unseal(key, value); err != nil {
			bad = append(bad, name)
		}
		return true
	})
	for _, key := range bad {
		r.inspect(p, key)
	}
	if after == "" {
		err = errors.Join(err, r.checkState(p))
	}
	r.noteError(err)
	return last, checked, more, err
}

// checkState reads what else the store holds of a partition. A state whose
// checksum fails is written anew, and so is the identity: memory holds both.
func (r *Replica) checkState(p *partition) error {
	bad := false
	sealed := func(key, value []byte) bool {
		_, err := unseal(key, value)
		bad = bad || err != nil
		return true
	}
	meta, state := metaKey(), stateKey(p.id)
	from, to := partitionRange(prefixTombstone, p.id)
	err := errors.Join(
		r.store.Scan(meta, append(meta, 0), sealed),
		r.store.Scan(state, append(state, 0), sealed),
		r.store.Scan(from, to, func(_, _ []byte) bool { return true }),
	)
	if !bad {
		return err
	}
	r.identityMu.Lock()
	defer r.identityMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	r.store.Write([]store.Op{r.identityOp(), p.stateOp()}, func(err error) { r.landed(p, "", false, true, err) })
	return err
}

// count brings the sums of a partition up to date after damage was met, whose
// share in them can't be told: they are made anew, of what can be read. p.mu is
// held.
func (r *Replica) count(p *partition) error {
	if !p.uncounted {
		return nil
	}
	p.held, p.digest = Holding{}, digest.Tree{}
	var bad []string
	from, to := recordRange(p.id)
	err := r.store.Scan(from, to, func(key, value []byte) bool {
		name := string(key[recordKeyHead:])
		if _, ok := p.pending[name]; ok {
			return true
		}
		rec, err := decodeRecord(key, value)
		switch {
		case err == nil:
			p.enter(name, rec)
		case errors.Is(err, ErrChecksum):
			bad = append(bad, name)
		}
		return true
	})
	for key, w := range p.pending {
		p.enter(key, w.record)
	}
	for _, key := range bad {
		r.damage(p, key)
	}
	p.uncounted = err != nil
	r.noteError(err)
	return err
}
