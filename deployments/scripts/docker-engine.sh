#!/usr/bin/env bash
# Sees to it that a Docker engine answers and that docker-compose is there: installs the packages that are
# missing and starts the engine where none runs. Idempotent, and silent when everything is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deployments/scripts/common.sh
. deployments/scripts/common.sh

if ! command -v docker-compose >/dev/null && ! docker compose version >/dev/null 2>&1; then
  install_packages docker-compose
fi
docker info >/dev/null 2>&1 && exit 0

command -v dockerd >/dev/null || [ -x /usr/sbin/dockerd ] || install_packages docker.io
log=/var/log/dyad-dockerd.log

# drop_stale FILE NAME: removes a PID file that a killed process NAME left; its PID may be another's by now.
drop_stale() {
  as_root test -f "$1" || return 0
  [ "$(cat "/proc/$(as_root cat "$1")/comm" 2>/dev/null)" = "$2" ] || as_root rm -f "$1"
}

if [ -d /run/systemd/system ]; then
  as_root systemctl start docker
elif ! as_root docker info >/dev/null 2>&1; then
  say "starting a Docker engine (log: $log)"
  drop_stale /var/run/docker.pid dockerd
  drop_stale /var/run/docker/containerd/containerd.pid containerd
  # In a session of its own, with nothing of ours held open, so that it outlives this script and nobody waits
  # for it. Its socket is given to the caller's group, so that docker works without root.
  as_root setsid --fork sh -c "exec dockerd --group $(id -gn) >$log 2>&1 </dev/null"
fi
for _ in $(seq 120); do
  docker info >/dev/null 2>&1 && exit 0
  sleep 0.5
done
if as_root docker info >/dev/null 2>&1; then
  die "the Docker engine runs, but $(id -un) may not use it: sudo usermod -aG docker $(id -un), log in again"
fi
[ ! -f "$log" ] || as_root tail -n 20 "$log" >&2
die "no Docker engine answers after 60 s; the end of its log, if we started it, is above"
