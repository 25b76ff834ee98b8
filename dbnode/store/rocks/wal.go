package rocks

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
)

// A log of RocksDB is a row of blocks, and a block a row of records, none of
// which crosses the end of its block. A batch is one whole record, or a first
// one with others behind it.
const (
	walBlock  = 32 << 10
	walHeader = 7 // masked checksum of what follows the length: 4, length: 2, type: 1
	walWhole  = 1
	walFirst  = 2
)

// tornAtEnd says whether the damage in the logs of dir is confined to one batch
// at their very end: the one whose sync a power cut interrupted, which nobody
// was told about. A batch is synced before the next one is written, so a later
// batch behind the damage proves that it struck an acknowledged one.
func tornAtEnd(dir string) (bool, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return false, err
	}
	// The names are numbers of six digits or more.
	slices.SortFunc(logs, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	damaged := false
	for _, name := range logs {
		log, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if damaged && len(log) > 0 {
			return false, nil
		}
		bad := firstDamage(log)
		if bad == len(log) {
			continue
		}
		if batchBegins(log, bad+1) {
			return false, nil
		}
		damaged = true
	}
	return damaged, nil
}

// firstDamage returns the offset of the first record that isn't intact, or the
// length of the log.
func firstDamage(log []byte) int {
	at := 0
	for at < len(log) {
		if left := walBlock - at%walBlock; left < walHeader {
			at += left // filler
			continue
		}
		size, ok := recordAt(log, at)
		if !ok {
			return at
		}
		at += size
	}
	return len(log)
}

// batchBegins says whether an intact first record of a batch starts anywhere at
// or after from. Every offset is tried, because after damage to a length the
// place of the next record isn't known.
func batchBegins(log []byte, from int) bool {
	for at := from; at+walHeader <= len(log); at++ {
		if kind := log[at+walHeader-1]; kind != walWhole && kind != walFirst {
			continue
		}
		if _, ok := recordAt(log, at); ok {
			return true
		}
	}
	return false
}

// recordAt returns the size of the record at an offset, and whether it is intact.
func recordAt(log []byte, at int) (int, bool) {
	end := min(len(log), at-at%walBlock+walBlock)
	if at+walHeader > end {
		return 0, false
	}
	size := walHeader + int(binary.LittleEndian.Uint16(log[at+4:]))
	if at+size > end {
		return 0, false
	}
	sum := crc32.Checksum(log[at+walHeader-1:at+size], crc32.MakeTable(crc32.Castagnoli))
	masked := (sum>>15 | sum<<17) + 0xa282ead8
	return size, masked == binary.LittleEndian.Uint32(log[at:])
}
