# `make demo` and `make test` do all the set-up that they need.
.DEFAULT_GOAL := help
.PHONY: help setup check format test test-kind demo demo-docker demo-stop bench crds image clean
SHELL := /bin/bash
# Hundreds of processes are started: none shall compile again what one before it has.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# A file is one process's, with servers of its own. They wait more than they work, so four run at a time; the end to end
# stories, few and long, begin.
PYTEST_FLAGS ?= -n 4 --dist loadfile --no-loadscope-reorder

help:  ## Show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup:  ## Make .venv with pinned packages; install PostgreSQL and zstd where they are missing
	@scripts/setup.sh

check: setup  ## Format, lint, types, layers, generated files
	$(BIN)/ruff format --check operator tests scripts
	$(BIN)/ruff check operator tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_generated.py

format: setup  ## Format, and mend what the linter can mend
	$(BIN)/ruff check --fix operator tests scripts
	$(BIN)/ruff format operator tests scripts

test:  ## Everything: the gate, unit, contract, integration, end to end
	@scripts/setup.sh --tests
	@$(BIN)/python -m tests.cluster.building & $(BIN)/python -m tests.images.worker & images=$$!; $(MAKE) --no-print-directory check && wait $$images
	@scripts/test.sh $(PYTEST_FLAGS)

test-kind:  ## The stories of tests/cluster on a new cluster of the program kind
	@scripts/kind.sh

demo: setup  ## The main job, end to end, in .demo/ (KEEP=1 leaves it running)
	@KEEP=$(KEEP) scripts/demo.sh

demo-docker: setup  ## A compose stack on a Docker Engine of its own, backed up and compared (KEEP=1 waits before it ends); as root
	@scripts/setup.sh --tests
	@KEEP=$(KEEP) PYTHONPATH=. $(BIN)/python scripts/demo_docker.py

demo-stop:  ## Stop a demo that was left running
	@scripts/demo.sh stop

bench: setup  ## Ratios against pg_dump and against the seed's script, on a database of 1 GB
	$(BIN)/python -m tests.bench

crds: setup  ## Write what the code is the truth of: CRDs, Roles, the chart's schema of jobDefaults
	PYTHONPATH=. $(BIN)/python scripts/generate.py

image: setup  ## Build the container image on the Engine of DOCKER_HOST, without a registry where none can be reached
	@scripts/image.sh

clean:  ## Remove what the targets above made
	@scripts/demo.sh stop 2>/dev/null || true
	rm -rf .venv .demo .demo-docker .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
