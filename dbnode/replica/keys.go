package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/pkg/register"
)

// The keys of a node's store. Records sort by partition, then by user key.
const (
	prefixMeta      = 'm' // m                              -> Identity
	prefixState     = 's' // s, partition (2, big end)      -> register.Durable
	prefixRecord    = 'r' // r, partition (2, big end), key -> register.Record
	prefixTombstone = 't' // t, partition (2, big end), key -> nothing; the key's record is a tombstone
)

// ErrChecksum says that a stored record or state is damaged.
var ErrChecksum = errors.New("checksum mismatch")

// damagedState makes of an error about the node's own state, on which every
// answer rests, one that says that the disk is lost.
func damagedState(err error) error {
	if errors.Is(err, ErrChecksum) {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

func metaKey() []byte { return []byte{prefixMeta} }

func stateKey(partition uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{prefixState}, partition)
}

func recordKey(partition uint16, key string) []byte {
	return partitionKey(prefixRecord, partition, key)
}

func tombstoneKey(partition uint16, key string) []byte {
	return partitionKey(prefixTombstone, partition, key)
}

func partitionKey(prefix byte, partition uint16, key string) []byte {
	k := make([]byte, 0, recordKeyHead+len(key)+1)
	k = append(k, prefix)
	k = binary.BigEndian.AppendUint16(k, partition)
	return append(k, key...)
}

const recordKeyHead = 3

// recordRange returns the bounds of a partition's records.
func recordRange(partition uint16) (from, to []byte) { return partitionRange(prefixRecord, partition) }

// partitionRange returns the bounds of a partition's keys; user keys are ASCII.
func partitionRange(prefix byte, partition uint16) (from, to []byte) {
	return partitionKey(prefix, partition, ""), partitionKey(prefix, partition, "\xff")
}

// A stored record is: flags, ballot time and proposer, the op id's where it is
// not the ballot, the document, and a CRC-32C of key and all before it.
const (
	flagTombstone  = 1 << 0
	flagOp         = 1 << 1 // an op id of its own follows the ballot
	recordVersion  = 1 << 6 // the two high bits of flags
	versionMask    = 3 << 6
	ballotSize     = 16
	checksumSize   = 4
	recordOverhead = 1 + ballotSize + checksumSize
)

func appendBallot(b []byte, x register.Ballot) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(x.Time))
	return binary.BigEndian.AppendUint64(b, x.Proposer)
}

func cutBallot(b []byte) (register.Ballot, []byte) {
	return register.Ballot{
		Time:     int64(binary.BigEndian.Uint64(b)),
		Proposer: binary.BigEndian.Uint64(b[8:]),
	}, b[ballotSize:]
}

func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

// seal appends the checksum of key and value to value.
func seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// unseal returns value without its checksum, or ErrChecksum.
func unseal(key, value []byte) ([]byte, error) {
	n := len(value) - checksumSize
	if n < 0 || binary.BigEndian.Uint32(value[n:]) != checksum(key, value[:n]) {
		return nil, fmt.Errorf("stored key %q: %w", key, ErrChecksum)
	}
	return value[:n], nil
}

func encodeRecord(key []byte, r register.Record) []byte {
	b := make([]byte, 0, recordOverhead+ballotSize+len(r.Doc))
	flags := byte(recordVersion)
	if r.Tombstone {
		flags |= flagTombstone
	}
	if r.Op != r.Ballot {
		flags |= flagOp
	}
	b = append(b, flags)
	b = appendBallot(b, r.Ballot)
	if r.Op != r.Ballot {
		b = appendBallot(b, r.Op)
	}
	return seal(key, append(b, r.Doc...))
}

// documentOf returns the document within what r was encoded to.
func documentOf(value []byte, r register.Record) []byte {
	end := len(value) - checksumSize
	return value[end-len(r.Doc) : end : end]
}

// decodeRecord returns the record stored at key; its document shares value.
func decodeRecord(key, value []byte) (register.Record, error) {
	b, err := unseal(key, value)
	if err != nil {
		return register.Record{}, err
	}
	if len(b) < 1+ballotSize || b[0]&versionMask != recordVersion {
		return register.Record{}, fmt.Errorf("stored key %q: a record of another version", key)
	}
	flags := b[0]
	var r register.Record
	r.Tombstone = flags&flagTombstone != 0
	r.Ballot, b = cutBallot(b[1:])
	r.Op = r.Ballot
	if flags&flagOp != 0 {
		if len(b) < ballotSize {
			return register.Record{}, fmt.Errorf("stored key %q: a record cut short", key)
		}
		r.Op, b = cutBallot(b)
	}
	if !r.Tombstone {
		r.Doc = b
	}
	return r, nil
}

func encodeState(key []byte, d register.Durable) []byte {
	b := appendBallot(make([]byte, 0, ballotSize+8+checksumSize), d.Floor)
	return seal(key, binary.BigEndian.AppendUint64(b, uint64(d.Horizon)))
}

func decodeState(key, value []byte) (register.Durable, error) {
	b, err := unseal(key, value)
	if err != nil {
		return register.Durable{}, err
	}
	if len(b) != ballotSize+8 {
		return register.Durable{}, fmt.Errorf("stored key %q: a state of another version", key)
	}
	var d register.Durable
	d.Floor, b = cutBallot(b)
	d.Horizon = int64(binary.BigEndian.Uint64(b))
	return d, nil
}
