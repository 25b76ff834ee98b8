package replica

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
)

// Digest hands the digest of a partition to done when all that it sums up is
// durable. A read-only replica lacks what others keep for it until it has room:
// it has no digest to compare, or it would be given all of that at once.
func (r *Replica) Digest(partition uint16, done func(digest.Tree, error)) {
	if r.readOnly.Load() {
		done(digest.Tree{}, ErrReadOnly)
		return
	}
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.count(p); err != nil {
		done(digest.Tree{}, fmt.Errorf("sum up partition %d: %w", partition, err))
		return
	}
	tree := p.digest
	r.store.Write(nil, func(err error) { done(tree, err) })
}

// Page returns durable records of a partition in key order, from keys after the
// given one, up to limit of them and somewhat over maxBytes of documents; more
// says that others follow. A damaged one is an error: whoever copies the
// partition must not take it for a blank.
func (r *Replica) Page(partition uint16, after string, limit, maxBytes int) (page []register.Hint, more bool, err error) {
	if int(partition) >= len(r.parts) {
		return nil, false, fmt.Errorf("partition %d: there are %d, from 0", partition, len(r.parts))
	}
	_, to := recordRange(partition)
	size := 0
	var damaged string
	var unreadable error
	err = r.store.Scan(recordKey(partition, after), to, func(key, value []byte) bool {
		name := string(key[recordKeyHead:])
		if name == after && after != "" {
			return true
		}
		if len(page) == limit || size > maxBytes {
			more = true
			return false
		}
		// The scan's slices are reused, so the document is cut from a copy.
		var rec register.Record
		if rec, unreadable = decodeRecord(key, bytes.Clone(value)); unreadable != nil {
			damaged = name
			return false
		}
		page = append(page, register.Hint{Key: name, Record: rec})
		size += len(rec.Doc)
		return true
	})
	if errors.Is(unreadable, ErrChecksum) {
		r.inspect(r.parts[partition], damaged)
	}
	r.noteError(err)
	return page, more, errors.Join(err, unreadable)
}

// Copy stores records that other acceptors hold, where they are newer, in a
// partition that is joining, and calls done when that is durable. It waits, with
// ErrReadOnly, for room.
func (r *Replica) Copy(partition uint16, records []register.Hint, done func(error)) {
	if r.readOnly.Load() {
		done(ErrReadOnly)
		return
	}
	p := r.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	var ops []store.Op
	var puts []string
	states := 0
	for _, rec := range records {
		held, effects := r.stepCopy(p, rec)
		ops = append(ops, r.apply(p, rec.Key, held, rec.Record, effects)...)
		if effects.Put {
			puts = append(puts, rec.Key)
		}
		if effects.State {
			states++
		}
	}
	r.write(ops, func(err error) {
		for _, key := range puts {
			r.landed(p, key, true, false, err)
		}
		for range states {
			r.landed(p, "", false, true, err)
		}
		done(err)
	})
}

// stepCopy decides whether a copy is stored, in place of what is held. p.mu is
// held.
func (r *Replica) stepCopy(p *partition, rec register.Hint) (held register.Record, effects register.Effects) {
	held, _, err := r.load(p, rec.Key)
	switch {
	case err == nil:
		return held, p.acc.Copy(r.cfg.Now(), rec.Record, held)
	case errors.Is(err, ErrChecksum):
		if bar, ok := r.damage(p, rec.Key); ok {
			effects = p.acc.CopyDamaged(r.cfg.Now(), rec.Record, bar)
		}
	}
	r.noteError(err)
	return register.Record{}, effects
}

// Tombstones returns up to limit durable tombstones of a partition of which this
// node is the first data replica, in key order, from keys after the given one.
func (r *Replica) Tombstones(partition uint16, after string, limit int) ([]register.Hint, error) {
	var keys []string
	_, to := partitionRange(prefixTombstone, partition)
	err := r.store.Scan(tombstoneKey(partition, after), to, func(key, _ []byte) bool {
		if name := string(key[recordKeyHead:]); name != after {
			keys = append(keys, name)
		}
		return len(keys) < limit
	})
	if err != nil {
		return nil, err
	}
	var out []register.Hint
	for _, name := range keys {
		key := recordKey(partition, name)
		value, err := r.store.Get(key)
		if err != nil {
			return nil, err
		}
		if rec, err := decodeRecord(key, value); err == nil && rec.Tombstone {
			out = append(out, register.Hint{Key: name, Record: rec})
		}
	}
	return out, nil
}
