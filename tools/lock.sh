#!/bin/sh
# Resolves requirements/*.in into lock files with hashes, for every supported Python and system at once.
# Names no package index: each reader installs from the one they use.
set -eu
cd "$(dirname "$0")/.."

compile() {
    name=$1
    shift
    .venv/bin/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
        --no-emit-index-url --no-header --no-annotate "$@" "requirements/$name.in" -o "requirements/$name.lock"
}

compile run
# The tests run on exactly what the product runs on.
compile dev --constraint requirements/run.lock
compile embedded
compile clients --only-binary :all:

if grep -nE 'https?://|--(index|extra|find)' requirements/*.lock; then
    echo "A lock file names a package index. Run this with a clean environment." >&2
    exit 1
fi
