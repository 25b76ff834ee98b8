#!/usr/bin/env bash
# Sees to it that the two base images of our Dockerfiles are there: present, else pulled, else, where no
# container registry can be reached, made here from Debian's packages and this machine's Go. Idempotent.
#
# The stand-ins take the official names. `docker rmi golang:1.26-bookworm debian:bookworm-slim` drops them.
# DEBIAN_MIRROR names another package mirror.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deployments/scripts/common.sh
. deployments/scripts/common.sh

debian=debian:bookworm-slim
golang=golang:1.26-bookworm

# there IMAGE: is it here, or can it be pulled? Where there is no registry, the pull fails at once.
there() {
  docker image inspect "$1" >/dev/null 2>&1 || timeout 600 docker pull -q "$1" >/dev/null 2>&1
}

mirror() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    echo "$DEBIAN_MIRROR"
  elif grep -qsx 'ID=debian' /etc/os-release && [ -f /etc/apt/sources.list.d/debian.sources ]; then
    awk '$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list.d/debian.sources
  else
    echo http://deb.debian.org/debian
  fi
}

make_debian() {
  say "no registry has $debian: making it with debootstrap"
  install_packages debootstrap debian-archive-keyring
  as_root debootstrap --variant=minbase bookworm "$work/root" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed; its last lines are above"; }
  # No device nodes: the engine brings its own. No manuals, caches or package lists: it is a slim image.
  as_root tar -C "$work/root" -c \
    --exclude='./dev/*' --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
    --exclude='./usr/share/locale/*' --exclude='./usr/share/info/*' --exclude='./var/cache/apt/*' \
    --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' . |
    docker import -c 'CMD ["bash"]' - "$debian" >/dev/null
  as_root rm -rf "$work/root"
}

make_golang() {
  say "no registry has $golang: making it from $(go version)"
  mkdir "$work/golang"
  cp -rL "$(go env GOROOT)" "$work/golang/go"
  # This machine's certificates: whatever it fetches modules through, the image trusts too.
  cp /etc/ssl/certs/ca-certificates.crt "$work/golang/"
  cat >"$work/golang/Dockerfile" <<EOF
FROM $debian
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates g++ libc6-dev make && \
    rm -rf /var/lib/apt/lists/*
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY go /usr/local/go
ENV GOPATH=/go GOTOOLCHAIN=local PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /go
EOF
  docker build -t "$golang" "$work/golang" >"$work/build.log" 2>&1 ||
    { tail -n 20 "$work/build.log" >&2; die "building $golang failed; its last lines are above"; }
}

work=$(mktemp -d)
trap 'as_root rm -rf "$work"' EXIT
there "$debian" || make_debian
there "$golang" || make_golang
