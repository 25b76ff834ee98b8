#!/usr/bin/env bash
# Installs what the drills that cut the network, and the nemesis, need. Idempotent, and silent when everything is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deployments/scripts/common.sh
. deployments/scripts/common.sh

install_packages iproute2 nftables strace
