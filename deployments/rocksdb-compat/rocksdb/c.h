// Lets grocksdb v1.7.14, written for RocksDB 7.8, compile against the newer RocksDB that Ubuntu 24.04
// and later ship. `make` puts this folder on the include path only where the library is not 7.8.
//
// Below are the few C functions that grocksdb binds and that later versions dropped or changed. The one that
// Dyad calls is passed on; the others abort, so that a call could not pass unnoticed.
#pragma once

// Hides the library's own declaration, where it still has one, behind another name.
#define rocksdb_block_based_options_set_block_cache_compressed hidden_set_block_cache_compressed
#define rocksdb_options_set_access_hint_on_compaction_start hidden_set_access_hint
#define rocksdb_options_get_access_hint_on_compaction_start hidden_get_access_hint
#define rocksdb_options_set_plain_table_factory hidden_set_plain_table_factory
#define rocksdb_delete_file hidden_delete_file
#define rocksdb_enable_file_deletions hidden_enable_file_deletions
#include_next <rocksdb/c.h>
#undef rocksdb_block_based_options_set_block_cache_compressed
#undef rocksdb_options_set_access_hint_on_compaction_start
#undef rocksdb_options_get_access_hint_on_compaction_start
#undef rocksdb_options_set_plain_table_factory
#undef rocksdb_delete_file
#undef rocksdb_enable_file_deletions

#include <stdint.h>
#include <stdlib.h>

static inline void rocksdb_block_based_options_set_block_cache_compressed(
    rocksdb_block_based_table_options_t* options, rocksdb_cache_t* cache) {
  (void)options, (void)cache;
  abort();
}

static inline void rocksdb_options_set_access_hint_on_compaction_start(rocksdb_options_t* options, int hint) {
  (void)options, (void)hint;
  abort();
}

static inline int rocksdb_options_get_access_hint_on_compaction_start(rocksdb_options_t* options) {
  (void)options;
  abort();
}

static inline void rocksdb_options_set_plain_table_factory(
    rocksdb_options_t* options, uint32_t key_length, int bloom_bits, double hash_ratio, size_t sparseness) {
  (void)options, (void)key_length, (void)bloom_bits, (void)hash_ratio, (void)sparseness;
  abort();
}

static inline void rocksdb_delete_file(rocksdb_t* db, const char* name) {
  (void)db, (void)name;
  abort();
}

// RocksDB 9 dropped force. Always inlined, as a function of this name would stand before the library's own.
extern void enable_file_deletions_9(rocksdb_t*, char**) __asm__("rocksdb_enable_file_deletions");
extern void enable_file_deletions_8(rocksdb_t*, unsigned char, char**) __asm__("rocksdb_enable_file_deletions");
static inline __attribute__((always_inline)) void rocksdb_enable_file_deletions(
    rocksdb_t* db, unsigned char force, char** error) {
  __builtin_choose_expr(
      __builtin_types_compatible_p(__typeof__(hidden_enable_file_deletions), void(rocksdb_t*, char**)),
      enable_file_deletions_9(db, error), enable_file_deletions_8(db, force, error));
}
