#!/bin/sh
# Makes .venv-clients and .venv-clients-node: other people's clients of Mixpanel and SOLAPI, which the tests run against
# the sandbox. Says nothing and does nothing when both already match their locks. Without Node the second is left out.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}

digest() {
    "$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

with_python() {
    lock=requirements/clients.lock
    venv=.venv-clients
    stamp=$venv/.lock-$(digest "$lock")
    if [ -f "$stamp" ]; then
        return
    fi
    echo "Installing other people's clients into $venv (once per change of $lock) ..."
    if ! "$python" -m venv --clear "$venv"; then
        echo "Cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    if [ -x .venv/bin/uv ]; then
        uv=.venv/bin/uv
    else
        uv=$(command -v uv || true)
    fi
    # Wheels only: nothing of other people's is built here. A failed uv (an index it can't read, say) falls back to pip.
    if [ -z "$uv" ] || ! "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes --only-binary :all: \
        -r "$lock"; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --require-hashes --only-binary :all: -r "$lock"
    fi
    touch "$stamp"
}

with_node() {
    from=requirements/clients-node
    folder=.venv-clients-node
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        echo "Left out: SOLAPI's SDK for Node (this machine has no node and npm)." >&2
        return
    fi
    stamp=$folder/.lock-$(digest "$from/package-lock.json")
    if [ -f "$stamp" ]; then
        return
    fi
    echo "Installing SOLAPI's SDK for Node into $folder (once per change of $from) ..."
    rm -rf "$folder"
    mkdir "$folder"
    cp "$from/package.json" "$from/package-lock.json" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    touch "$stamp"
}

with_python
with_node
