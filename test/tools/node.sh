#!/usr/bin/env bash
# node.sh: install the clients of the API that are published as Node packages, at the versions of
# backstage/package-lock.json, and print the folder they are in. Like build.sh it keeps them outside the tree, in a
# folder named after what they were made from. Prints nothing where there is no npm.
set -euo pipefail
cd "$(dirname "$0")/backstage"
command -v npm >/dev/null || exit 0

cache=${LONGSHORE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore/tools}
from=backstage-$(cat package.json package-lock.json | sha256sum | cut -c1-16)
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [ ! -e "$cache/$from/done" ]; then
    work=$cache/$from.new
    rm -rf "$work"
    mkdir "$work"
    cp package.json package-lock.json "$work"
    started=$SECONDS
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error >&2)
    printf '%-9s %4d s\n' backstage $((SECONDS - started)) >&2
    touch "$work/done"
    rm -rf "${cache:?}/$from"
    mv "$work" "$cache/$from"
fi
echo "$cache/$from"
