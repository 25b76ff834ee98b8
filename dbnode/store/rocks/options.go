package rocks

import "github.com/linxGnu/grocksdb"

// Sizes are in bytes. Together they keep the memory of a node with a million
// users near 100 MB: at most three write buffers, the cache, the dictionary
// sample of a running compaction.
const (
	cacheSize       = 32 << 20
	writeBufferSize = 8 << 20
	writeBuffers    = 3
	tableSize       = 16 << 20
	blockSize       = 8 << 10
	dictionarySize  = 16 << 10
	dictionaryInput = 100 * dictionarySize // what zstd advises to train on
	dictionaryRead  = 4 << 20              // what a compaction holds back to pick the input from
	maxManifestSize = 4 << 20
	maxLogFileSize  = 1 << 20
	maxOpenTables   = 512
)

// Options for which the C API has no setter. The first makes Open fail when a
// log file that was synced is missing or short; the second allocates no blocks
// ahead, so that a directory is as large as its files say. The others write what a
// flush or a compaction makes in small portions: all of it at once, when the file
// is synced, would hold up the syncs that requests wait for.
const optionString = "track_and_verify_wals_in_manifest=true;allow_fallocate=false;" +
	"bytes_per_sync=524288;strict_bytes_per_sync=true;" +
	"memtable_prefix_bloom_size_ratio=0.02;memtable_whole_key_filtering=true"

func newOptions(cache *grocksdb.Cache) (*grocksdb.Options, error) {
	o, err := grocksdb.GetOptionsFromString(nil, optionString)
	if err != nil {
		return nil, err
	}
	o.SetCreateIfMissing(true)
	// A damaged log is an error, not an early end: see openDB. A log that just
	// stops, as after a kill, is fine.
	o.SetWALRecoveryMode(grocksdb.TolerateCorruptedTailRecordsRecovery)

	o.SetWriteBufferSize(writeBufferSize)
	o.SetMaxWriteBufferNumber(writeBuffers)
	o.SetTargetFileSizeBase(tableSize)
	o.SetMaxOpenFiles(maxOpenTables)
	o.SetMaxManifestFileSize(maxManifestSize)
	o.SetLevelCompactionDynamicLevelBytes(true) // nearly everything sits in the well packed last level

	o.SetInfoLogLevel(grocksdb.WarnInfoLogLevel)
	o.SetMaxLogFileSize(maxLogFileSize)
	o.SetKeepLogFileNum(2)
	o.SetStatsDumpPeriodSec(0)
	o.SetStatsPersistPeriodSec(0)

	setCompression(o)
	table := newTableOptions(cache)
	defer table.Destroy() // o keeps a copy
	o.SetBlockBasedTableFactory(table)
	return o, nil
}

// setCompression: fresh tables are soon rewritten, so they get the quick LZ4.
// The last level gets zstd with a dictionary trained per table, because small
// JSON records share their field names and mail domains across blocks.
func setCompression(o *grocksdb.Options) {
	const windowBits, level, strategy = -14, 6, 0
	o.SetCompression(grocksdb.LZ4Compression)
	o.SetBottommostCompression(grocksdb.ZSTDCompression)
	o.SetBottommostCompressionOptions(
		grocksdb.NewCompressionOptions(windowBits, level, strategy, dictionarySize), true)
	o.SetBottommostCompressionOptionsZstdMaxTrainBytes(dictionaryInput, true)
	o.SetBottommostCompressionOptionsMaxDictBufferBytes(dictionaryRead, true)
}

func newTableOptions(cache *grocksdb.Cache) *grocksdb.BlockBasedTableOptions {
	t := grocksdb.NewDefaultBlockBasedTableOptions()
	t.SetFormatVersion(5)
	t.SetBlockSize(blockSize)
	t.SetFilterPolicy(grocksdb.NewBloomFilterFull(10)) // bits per key: 1 % false positives
	t.SetWholeKeyFiltering(true)
	t.SetBlockCache(cache)
	// Index and filter blocks count against the cache, so memory stays bounded
	// as the data grows.
	t.SetCacheIndexAndFilterBlocks(true)
	t.SetPinL0FilterAndIndexBlocksInCache(true)
	return t
}

// newCache makes a cache of four shards: with RocksDB's default of 64 a shard is
// smaller than the filter of a full table, which then would never stay cached.
func newCache() *grocksdb.Cache {
	o := grocksdb.NewLRUCacheOptions()
	defer o.Destroy()
	o.SetCapacity(cacheSize)
	o.SetNumShardBits(2)
	return grocksdb.NewLRUCacheWithOptions(o)
}
