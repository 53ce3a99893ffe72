#!/usr/bin/env bash
# Choose the versions again: requirements/{locked,node,uv}.txt, each package by hash, none by address.
#
#     tools/lock.sh             keep what is locked, add what pyproject.toml newly asks for
#     tools/lock.sh --upgrade   take the newest versions that pyproject.toml allows
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/pip install -qq --target "$work" --require-hashes -r requirements/uv.txt

# compile TARGET SOURCE...: one lock for every platform and every Python from 3.11 on
compile() {
    local target=$1
    shift
    "$work/bin/uv" pip compile "$@" --output-file "$target" --quiet \
        --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate
    echo "$target: $(grep -c == "$target") packages"
}

compile requirements/locked.txt pyproject.toml --all-extras "$@"
compile requirements/node.txt requirements/node.in "$@"
compile requirements/uv.txt requirements/uv.in "$@"
if grep --line-number -E '://|^--' requirements/*.txt; then
    echo "a lock file names an address, see above" >&2
    exit 1
fi
