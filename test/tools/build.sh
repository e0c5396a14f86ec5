#!/usr/bin/env bash
# build.sh: build the clients that the end-to-end tests use, at the versions of go.mod, and print the folder they are
# in. They live outside the tree, in a folder named after what they were built from, so that only the first run costs
# anything. The time of each tool goes to standard error.
#
#   LONGSHORE_TOOLS  where the folders are kept (default: longshore/tools in the user's cache)
set -euo pipefail
cd "$(dirname "$0")"
export GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0

# name and package; helm's two majors are both called helm
tools=(
    crane    github.com/google/go-containerregistry/cmd/crane
    regctl   github.com/regclient/regclient/cmd/regctl
    oras     oras.land/oras/cmd/oras
    helm-v3  helm.sh/helm/v3/cmd/helm
    helm-v4  helm.sh/helm/v4/cmd/helm
    cosign   github.com/sigstore/cosign/v3/cmd/cosign
    fixtures ./fixtures
    lazyread ./lazyread
)

cache=${LONGSHORE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore/tools}
from=$( (go env GOVERSION GOOS GOARCH && cat go.mod go.sum build.sh fixtures/*.go lazyread/*.go) | sha256sum | cut -c1-16)
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [ ! -e "$cache/$from/done" ]; then
    work=$cache/$from.new
    rm -rf "$work"
    mkdir "$work"
    started=$SECONDS
    for ((i = 0; i < ${#tools[@]}; i += 2)); do
        before=$SECONDS
        go build -trimpath -ldflags '-s -w' -o "$work/${tools[i]}" "${tools[i + 1]}" >&2
        printf '%-9s %4d s\n' "${tools[i]}" $((SECONDS - before)) >&2
    done
    printf '%-9s %4d s\n' all $((SECONDS - started)) >&2
    touch "$work/done"
    rm -rf "${cache:?}/$from"
    mv "$work" "$cache/$from"
fi
echo "$cache/$from"
