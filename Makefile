# One command for everything; each target brings what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK   := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-header --no-annotate
NODE   := tests/sdk/node

.PHONY: help install dev run test test-all chaos check format bench bench-profile bench-guard load docs wheel lock clean

help:            ## this list
	@sed -n 's/^\([a-z-]*\): *\(.*\)## */\1\t/p' $(MAKEFILE_LIST) | expand -t14

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	  || { echo "hedgerow: $(PYTHON) must be Python 3.11, 3.12 or 3.13 (Debian: apt-get install python3)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "hedgerow: Python's venv is missing (Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python requirements.lock requirements-build.lock pyproject.toml
	@echo "installing what Hedgerow runs on (once)"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock \
	  || { echo "hedgerow: an install failed; if it was a compiler: apt-get install gcc python3-dev"; exit 1; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "installing what tests and checks need (once)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.installed-load: $(VENV)/bin/python requirements-load.lock
	@$(PYTHON) -m venv $(VENV)-load && $(VENV)-load/bin/python -m pip --quiet install --require-hashes -r requirements-load.lock
	@touch $@

$(NODE)/node_modules/.installed: $(NODE)/package-lock.json
	@if command -v npm >/dev/null 2>&1; then cd $(NODE) && npm ci --silent --no-audit --no-fund && touch node_modules/.installed; \
	  else echo "hedgerow: Node is missing, so tests of the Node SDK will be skipped (Debian: apt-get install nodejs npm)"; fi

install: $(VENV)/.installed  ## make .venv with .venv/bin/hedgerow

dev: $(VENV)/.installed-dev $(if $(wildcard $(NODE)/package-lock.json),$(NODE)/node_modules/.installed)  ## the same, with test tools

run: install     ## serve on http://127.0.0.1:8080
	@$(BIN)/hedgerow serve

test: dev        ## all quick tests (minutes)
	@$(BIN)/python -m pytest -q -m "not slow"

test-all: dev    ## every test, slow ones included
	@$(BIN)/python -m pytest -q

chaos: dev       ## faults at random, for a while
	@$(BIN)/python -m pytest -q -m slow tests/scenarios tests/hostile tests/doors

check: dev       ## format, lint, types, import contracts, tidiness
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/flake8 --select ASYNC101,ASYNC102,ASYNC103,ASYNC104,ASYNC105,ASYNC113,ASYNC118,ASYNC119,ASYNC120 --max-line-length 200 proxy
	@$(BIN)/mypy
	@$(BIN)/mypy -p loadtests
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/test_tidy.py
	@$(BIN)/python docs/check_links.py

format: dev      ## rewrite the sources in the house's form
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

bench: dev       ## side by side with nginx and other gateways, on two pinned cores
	@$(BIN)/python -m bench $(BENCH)

bench-profile: dev  ## where the CPU time of a request goes (needs wrk, and py-spy: pip install py-spy)
	@$(BIN)/python -m bench.profile $(PROFILE)

bench-guard: dev ## fail where a request costs 10 % more instructions than stored (needs valgrind)
	@$(BIN)/python -m bench.guard $(GUARD)

load: $(VENV)/.installed-load install  ## locust scenarios with streaming users, against a gateway of its own
	@$(BIN)/python -m loadtests $(LOAD)

docs: dev        ## check that every link in docs/ leads somewhere
	@$(BIN)/python docs/check_links.py

wheel: dev       ## build the distribution into dist/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist

lock: dev        ## renew the hash-pinned locks
	@$(BIN)/$(LOCK) pyproject.toml -o requirements.lock
	@$(BIN)/$(LOCK) --group build -o requirements-build.lock
	@$(BIN)/$(LOCK) --group dev pyproject.toml -o requirements-dev.lock
	@$(BIN)/$(LOCK) --group load -o requirements-load.lock

clean:           ## remove what was built and installed
	@rm -rf $(VENV) $(VENV)-load build dist *.egg-info $(NODE)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results bench/.peers loadtests/reports
