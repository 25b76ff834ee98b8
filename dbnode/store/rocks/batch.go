package rocks

import (
	"encoding/binary"

	"github.com/dyad-db/dyad/dbnode/store"
)

// RocksDB's own serial form of a write batch: a sequence number that it fills in
// itself, a count, then the records.
const (
	batchCount  = 8 // offset of the count, 32 bits little-endian
	batchHeader = 12

	tagDelete = 0
	tagPut    = 1
)

func appendBatch(b []byte, ops []store.Op) []byte {
	start := len(b)
	b = append(b, make([]byte, batchHeader)...)
	binary.LittleEndian.PutUint32(b[start+batchCount:], uint32(len(ops)))
	for i := range ops {
		if ops[i].Delete {
			b = append(b, tagDelete)
			b = appendString(b, ops[i].Key)
			continue
		}
		b = append(b, tagPut)
		b = appendString(b, ops[i].Key)
		b = appendString(b, ops[i].Value)
	}
	return b
}

func appendString(b, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
