#!/bin/sh
# Makes .venv-clients: independent Mixpanel clients that the tests run against the sandbox.
# Says nothing and does nothing when .venv-clients already matches requirements/clients.lock.
set -eu
cd "$(dirname "$0")/.."

lock=requirements/clients.lock
venv=.venv-clients
python=${PYTHON:-python3}

wanted=$("$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$lock")
stamp=$venv/.lock-$wanted
if [ -f "$stamp" ]; then
    exit 0
fi

echo "Installing the independent Mixpanel clients into $venv (once per change of $lock) ..."
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
if [ -z "$uv" ] || ! "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes --only-binary :all: -r "$lock"; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --only-binary :all: -r "$lock"
fi
touch "$stamp"
