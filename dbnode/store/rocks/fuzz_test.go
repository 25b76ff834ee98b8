package rocks

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/linxGnu/grocksdb"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
)

// FuzzLog: whatever is in a log, the intact part before the first damage is itself
// a log without damage, and what is added behind it is found.
func FuzzLog(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x01\x00\x01x"))
	f.Add(bytes.Repeat([]byte{0}, walBlock+9))
	f.Fuzz(func(t *testing.T, log []byte) {
		end := firstDamage(log)
		require.True(t, end >= 0 && end <= len(log))
		require.Equal(t, end, firstDamage(log[:end]))
		if end < len(log) {
			_, ok := recordAt(log, end)
			require.False(t, ok)
		}
		record := []byte("\x00\x00\x00\x00\x01\x00\x01x")
		sealRecord(record)
		if room := walBlock - end%walBlock; room >= len(record) {
			longer := append(bytes.Clone(log[:end]), record...)
			require.Equal(t, len(longer), firstDamage(longer))
			require.True(t, batchBegins(longer, end))
			longer[len(longer)-1]++
			require.Equal(t, end, firstDamage(longer), "a changed byte")
		}
	})
}

// sealRecord gives a record of a log the checksum that RocksDB would.
func sealRecord(record []byte) {
	sum := crc32.Checksum(record[walHeader-1:], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(record, (sum>>15|sum<<17)+0xa282ead8)
}

// FuzzBatch: RocksDB reads from a batch what was put into it.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("k\x00v"), true, []byte(""), []byte("\xff"), false)
	f.Add(bytes.Repeat([]byte("long"), 100), false, []byte("k"), []byte{}, true)
	f.Fuzz(func(t *testing.T, key1 []byte, delete1 bool, key2, value2 []byte, delete2 bool) {
		ops := []store.Op{{Key: key1, Value: []byte("v"), Delete: delete1}, {Key: key2, Value: value2, Delete: delete2}}
		batch := grocksdb.WriteBatchFrom(appendBatch(nil, ops))
		defer batch.Destroy()
		require.Equal(t, len(ops), batch.Count())
		it := batch.NewIterator()
		for _, op := range ops {
			require.True(t, it.Next(), "%v", it.Error())
			r := it.Record()
			require.True(t, bytes.Equal(op.Key, r.Key))
			if op.Delete {
				require.Equal(t, grocksdb.WriteBatchDeletionRecord, r.Type)
				continue
			}
			require.Equal(t, grocksdb.WriteBatchValueRecord, r.Type)
			require.True(t, bytes.Equal(op.Value, r.Value))
		}
		require.False(t, it.Next())
		require.NoError(t, it.Error())
	})
}
