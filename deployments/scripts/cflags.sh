#!/usr/bin/env bash
# Prints the C flags that grocksdb, written for RocksDB 7.8, needs to compile against the installed version.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(dpkg-query -W -f '${Version}' librocksdb-dev 2>/dev/null || true)
case "$version" in
  7.8.* | '') echo '-O2 -g' ;; # Go's own default
  *)
    # The go command's cache does not see headers; the number makes it compile anew when they change.
    number=$(cat - rocksdb-compat/rocksdb/c.h <<<"$version" | cksum | cut -d ' ' -f 1)
    echo "-O2 -g -I$PWD/rocksdb-compat -DDYAD_HEADERS=$number"
    ;;
esac
