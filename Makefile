# Everything a newcomer needs: `make run` to see it, `make test` to change it.

PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$candidate && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# For every Python from the oldest on, not only for the one that is run here.
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header

TEXTS := app/web/translations

# Twice as many as cores: every other one waits for a browser, a process or a clock.
RUNNERS := $(shell expr 2 \* "$$(getconf _NPROCESSORS_ONLN)")

export PIP_ROOT_USER_ACTION := ignore

# Processes are started by the hundred here: none compiles again what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test lint audit bench texts lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: $(VENV)/for-running ## Start everything with a demo shop; Ctrl-C stops it
	@$(BIN)/onecount up --demo

test: lint audit ## Check style and types, ask for known vulnerabilities, run every test
	$(BIN)/python -m pytest --numprocesses $(RUNNERS) --dist worksteal

lint: $(VENV)/for-testing ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .

audit: $(VENV)/for-testing ## Ask for known vulnerabilities in what we run on
	@$(BIN)/python .ci/audit.py requirements.lock

bench: $(VENV)/for-testing ## Measure speed against the targets
	$(BIN)/python -m tests.benchmarks

texts: $(VENV)/for-running ## Gather the dashboard's texts; bring every language up to date
	$(BIN)/pybabel -q extract -F pyproject.toml -k lazy -c "For translators:" \
		--omit-header --add-location=file --sort-by-file \
		-o $(TEXTS)/messages.pot app/web
	@for language in $(wildcard $(TEXTS)/*.po); do \
		$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete \
		-i $(TEXTS)/messages.pot -o $$language -l $$(basename $$language .po); done

lock: $(VENV)/for-testing ## Look for newer versions and lock them
	$(PIP) uv
	$(COMPILE) --group build -o requirements.lock pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.lock \
		-o requirements-dev.lock pyproject.toml

clean: ## Remove the virtual environment and caches, never the data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/for-running: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Onecount runs on …"
	@$(PIP) --no-deps --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/for-testing: requirements-dev.lock $(VENV)/for-running
	@echo "Installing what its tests need …"
	@$(PIP) --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
