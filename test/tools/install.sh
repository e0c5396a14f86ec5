#!/usr/bin/env bash
# install.sh: the clients that come from Debian, with their daemons. Does nothing when all are there; installs what is
# missing when it may; otherwise says what to type. Without them the end-to-end tests skip what needs them, except in
# CI.
set -u

# command and the package that has it
needed=(
    /usr/sbin/dockerd    docker.io
    /usr/bin/podman      podman
    /usr/bin/buildah     buildah
    /usr/bin/skopeo      skopeo
    /usr/bin/ctr         containerd
    /usr/sbin/runc       runc
    /usr/sbin/iptables   iptables
    /usr/bin/newuidmap   uidmap
    /usr/bin/curl        curl
)

missing=()
for ((i = 0; i < ${#needed[@]}; i += 2)); do
    command -v "${needed[i]}" >/dev/null || command -v "$(basename "${needed[i]}")" >/dev/null || missing+=("${needed[i + 1]}")
done
[ "${#missing[@]}" -eq 0 ] && exit

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && exit
    apt-get update >/dev/null
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null && exit
fi
echo "missing: ${missing[*]}. Install with: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
[ -z "${CI:-}" ]
