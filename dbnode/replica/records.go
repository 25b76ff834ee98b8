package replica

import (
	"fmt"
	"hash/crc32"

	"github.com/dyad-db/dyad/pkg/register"
)

// Version is what is known of a durable record without its document.
type Version struct {
	Key       string
	Ballot    register.Ballot
	Tombstone bool
	Checksum  uint32 // CRC-32C of the document
}

// Records returns the versions of up to limit durable records of a partition,
// in key order, from keys after the given one; fewer only at the partition's
// end. Damaged ones are skipped: they count as blank.
func (r *Replica) Records(partition uint16, after string, limit int) ([]Version, error) {
	if int(partition) >= len(r.parts) {
		return nil, fmt.Errorf("partition %d: there are %d, from 0", partition, len(r.parts))
	}
	if limit < 1 {
		return nil, nil
	}
	_, to := recordRange(partition)
	table := crc32.MakeTable(crc32.Castagnoli)
	var versions []Version
	err := r.store.Scan(recordKey(partition, after), to, func(key, value []byte) bool {
		name := string(key[recordKeyHead:])
		if name == after {
			return true
		}
		rec, err := decodeRecord(key, value)
		if err == nil {
			versions = append(versions, Version{name, rec.Ballot, rec.Tombstone, crc32.Checksum(rec.Doc, table)})
		}
		return len(versions) < limit
	})
	return versions, err
}
