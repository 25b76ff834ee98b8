package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dyad-db/dyad/pkg/register"
)

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBallot(b []byte, x register.Ballot) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(x.Time))
	return binary.BigEndian.AppendUint64(b, x.Proposer)
}

func appendDisks(b []byte, disks register.Incarnations) []byte {
	for _, n := range disks {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func recordFlags(r register.Record) byte {
	if r.Blank() {
		return 0
	}
	flags := byte(flagRecord)
	if r.Tombstone {
		flags |= flagTombstone
	}
	if r.Op != r.Ballot {
		flags |= flagOp
	}
	return flags
}

func appendRecord(b []byte, r register.Record) []byte {
	if r.Blank() {
		return b
	}
	b = appendBallot(b, r.Ballot)
	if r.Op != r.Ballot {
		b = appendBallot(b, r.Op)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Doc)))
	return append(b, r.Doc...)
}

// decoder reads from b until the first error, after which it yields zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrFrame, why)
	}
}

// take returns the next n bytes, or nil.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.b) {
		d.fail("cut short")
		return nil
	}
	t := d.b[:n:n]
	d.b = d.b[n:]
	return t
}

func (d *decoder) byte() byte {
	if t := d.take(1); t != nil {
		return t[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if t := d.take(8); t != nil {
		return binary.BigEndian.Uint64(t)
	}
	return 0
}

func (d *decoder) uvarint(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.fail("a number out of range")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.take(int(d.uvarint(MaxKeyBytes)))) }

func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != frameVersion {
		d.fail(fmt.Sprintf("version %d where %d is spoken", v, frameVersion))
	}
}

func (d *decoder) ballot() register.Ballot {
	return register.Ballot{Time: int64(d.uint64()), Proposer: d.uint64()}
}

func (d *decoder) disks() register.Incarnations {
	var disks register.Incarnations
	for s := range disks {
		disks[s] = uint32(d.uvarint(math.MaxUint32))
	}
	return disks
}

func (d *decoder) record(flags byte) register.Record {
	if flags&flagRecord == 0 {
		return register.Record{}
	}
	r := register.Record{Tombstone: flags&flagTombstone != 0, Ballot: d.ballot()}
	r.Op = r.Ballot
	if flags&flagOp != 0 {
		r.Op = d.ballot()
	}
	doc := d.take(int(d.uvarint(MaxDocBytes)))
	if d.err == nil && (r.Ballot.Time <= 0 || r.Ballot.Less(r.Op)) {
		d.fail("a record with an impossible ballot")
	}
	if !r.Tombstone {
		r.Doc = doc
	}
	return r
}

// end checks that nothing follows.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("more bytes than messages")
	}
	return d.err
}
