#!/usr/bin/env bash
# Installs what a build needs on Debian 12 or Ubuntu: RocksDB's headers and a C++ compiler; checks Go and
# RocksDB. Idempotent, and silent when everything is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deployments/scripts/common.sh
. deployments/scripts/common.sh

wanted=$(awk '$1 == "go" { print $2 }' go.mod)
go_help="Go $wanted or newer is needed and apt-get has none: get it from https://go.dev/dl, unpack it with
  sudo tar -C /usr/local -xzf go*.linux-*.tar.gz
  export PATH=/usr/local/go/bin:\$PATH
and run this again"
command -v go >/dev/null || die "$go_help"
# Run inside the module, a go command that is too old either fetches the one that go.mod names or fails here.
have=$(go env GOVERSION 2>&1) || die "$have
$go_help"
[ "$(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -n 1)" = "$wanted" ] || die "found $have. $go_help"

install_packages g++ librocksdb-dev
rocksdb=$(dpkg-query -W -f '${Version}' librocksdb-dev)
for bound in "ge 7.8" "lt 10"; do
  # shellcheck disable=SC2086 # two words
  dpkg --compare-versions "$rocksdb" $bound || die "RocksDB 7.8 to 9.11 is needed and this system has $rocksdb.
Debian 12 and Ubuntu 24.04 have it; with Docker, 'docker-compose up' runs Dyad on any system"
done
