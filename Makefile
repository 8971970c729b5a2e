# Everything a person types. Each command first sets up what it needs (see tools/setup.py); start with `make run`.
PYTHON ?= python3
PY := .venv/bin/python
# Once .venv is there its own Python looks whether all is up to date: bare, that takes milliseconds.
SETUP = if [ -x $(PY) ]; then exec $(PY) -I -S tools/setup.py $(1); fi; \
	if ! command -v $(PYTHON) >/dev/null; then echo "Notifly Console needs Python 3.11 or newer, and there is no $(PYTHON) here. Install it, or name another one: make run PYTHON=python3.12" >&2; exit 1; fi; \
	exec $(PYTHON) tools/setup.py $(1)
# Some machines forbid to keep what was compiled: every process would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check format bench clients lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv with everything locked, secrets for this machine, translations
	@$(call SETUP,run)

setup-dev:
	@$(call SETUP,dev)

run: setup ## the console with a demo, on http://localhost:8000 (PORT, DATABASE_URL, REDIS_URL)
	@exec $(PY) manage.py run

test: setup-dev ## the tests on SQLite; also on TEST_DATABASE_URL and TEST_REDIS_URL where given
	@exec $(PY) -m tools.test $(ARGS)

check: setup-dev ## format, lint, types, import contracts, templates, migrations, settings
	@exec $(PY) tools/check.py

format: setup-dev ## rewrites the code the way `make check` wants it
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

bench: clients ## the benchmarks, each beside its peer (BENCH_DATABASE_URL: a PostgreSQL database of their own)
	@exec $(PY) -m benchmarks.run $(ARGS)

clients: setup-dev ## other people's Mixpanel clients, for the tests that run them against the stand-in
	@sh tools/clients.sh

lock: setup-dev ## resolves requirements/*.in again into the lock files
	@sh tools/lock.sh

clean: ## removes what setup made, except var/ (data and keys)
	rm -rf .venv .venv-clients .venv.lock staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
