# graphsvc. Two commands for a newcomer: `make run` and `make test`; neither needs anything but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
DATAHUB := .venv-datahub
BIN := $(VENV)/bin
ARGS ?=
# Two processes of tests, each with a Neo4j of its own; one where the environment names the server that they would share.
TWO := $(if $(NEO4J_URI)$(KAFKA_BOOTSTRAP),,--numprocesses 2 --dist loadfile --no-loadscope-reorder)

.PHONY: run test check bench faults registry lock screenshots clean help

help:           ## list the commands
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

run: $(VENV)/.runtime  ## start a private Neo4j and graphsvc, load the example, print what to open
	$(BIN)/graphsvc up --load examples/retail.json $(ARGS)

test: $(VENV)/.dev $(DATAHUB)/.installed  ## every test, against a real Neo4j and DataHub's own clients
	$(BIN)/pytest $(TWO) $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/pytest -q tests/unit

bench: $(VENV)/.dev  ## the figures of docs/benchmarks.md, as ratios to a hand-written ceiling
	$(BIN)/python benchmarks/run.py $(ARGS)

faults: $(VENV)/.dev  ## kill everything at random under load, and compare with an oracle; ARGS="--seed N" repeats a run
	cd tests/e2e && ../../$(BIN)/python faults.py $(ARGS)

registry: $(DATAHUB)/.installed  ## write the model registry from the installed acryl-datahub
	$(DATAHUB)/bin/python scripts/build_registry.py graphsvc/graph/registry graphsvc/ingest/schemas

screenshots: $(VENV)/.dev  ## take the pictures in docs/ from a running graphsvc (needs Debian's chromium)
	$(BIN)/python scripts/screenshots.py docs/images

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(ARGS)

lock: $(VENV)/.dev  ## pin the dependencies anew; ARGS=--upgrade takes newer ones
	$(COMPILE) --extra local -o requirements/runtime.txt pyproject.toml requirements/build.in
	$(COMPILE) --extra local -c requirements/runtime.txt -o requirements/dev.txt pyproject.toml requirements/build.in requirements/dev.in
	$(COMPILE) -c requirements/runtime.txt -o requirements/serve.txt pyproject.toml requirements/build.in
	$(COMPILE) -o requirements/datahub.txt requirements/datahub.in

clean:          ## remove the environments and caches; .graphsvc with its data stays
	rm -rf $(VENV) $(DATAHUB) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "graphsvc needs Python 3.11 or newer; this is $$($(PYTHON) --version). Say PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The project itself goes in without its dependencies: those are pinned, with hashes, in the requirements files.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(DATAHUB)/.installed: requirements/datahub.txt
	$(PYTHON) -m venv $(DATAHUB)
	$(DATAHUB)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/datahub.txt
	@touch $@
