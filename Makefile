# One command set for people, hooks and CI. `make` alone lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# The tests wait more than they compute.
JOBS   ?= $(shell echo $$((2 * $$(nproc))))
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Which dependencies the environment gets: as locked, or the ends of what pyproject.toml allows.
DEPENDENCIES   ?= locked
INSTALL_locked := $(PIP) --require-hashes -r requirements.lock
INSTALL_lowest := $(PIP) uv && $(BIN)/uv pip compile --quiet --python $(BIN)/python --resolution lowest-direct pyproject.toml \
  | $(BIN)/uv pip install --quiet --python $(BIN)/python -r - --group dev
INSTALL_newest := $(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --upgrade -r pyproject.toml --group dev

.DEFAULT_GOAL := help
.PHONY: platform help environment run test lint types layers format unit soak docs picture bench lock clean system-packages

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "notifyd needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is incomplete; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(INSTALL_$(DEPENDENCIES))
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

environment: $(READY) ## create the virtual environment (DEPENDENCIES=locked, lowest or newest)

run: $(READY) ## start the demo: relay, inbox page, daemon, a log being written
	@$(BIN)/notifyd demo --dir .demo

test: $(READY) lint types layers unit ## run all checks and tests

lint: $(READY) ## check the style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check the types
	$(BIN)/mypy

layers: $(READY) ## check the import layers
	$(BIN)/lint-imports --no-cache

unit: $(READY) ## run the tests alone, in parallel (JOBS)
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not soak" -q

soak: $(READY) ## run the long tests: kills, outages, full disks (SOAK_SECONDS)
	$(BIN)/pytest -n $(JOBS) -m soak -q --timeout 3600
	THOROUGH=1 $(BIN)/pytest -n $(JOBS) -m "not soak" -q --timeout 600 tests/unit tests/component

docs: $(READY) ## write the reference pages in docs/ from the code
	$(BIN)/python docs/generate.py

picture: $(READY) ## write docs/inbox.png, the picture in the README (needs Chromium)
	PYTHONPATH=tests $(BIN)/python docs/picture.py

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

BENCHMARKS := start pages latency burst idle arming execs exits requests compiling logs relay
bench: $(BENCHMARKS:%=bench-%) ## run the benchmarks beside the other tools that are installed

bench-%: $(READY) # one of benchmarks/; bench-journal needs SYSTEMD_HARNESS
	PYTHONPATH=tests $(BIN)/python benchmarks/$*.py

platform: $(READY) ## write the platform client's typed methods from its table of endpoints
	$(BIN)/python -m notifyd.platform.codegen
	$(BIN)/ruff format -q notifyd/platform

lock: $(READY) ## resolve the dependencies again
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate pyproject.toml --group dev --upgrade -o requirements.lock

system-packages: ## install the Debian packages that the tests drive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends python3-venv logrotate systemd dbus curl procps \
	  libpam-systemd dbus-user-session rsync daemontools runit s6 monitoring-plugins-basic chromium \
	  postgresql pgbouncer zsh fish

clean: ## remove the environment and every cache
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
