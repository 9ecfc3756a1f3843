# Every target does its own set-up: Python 3.11+ and make are all it takes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCAL_MODELS := .venv-local-models
PIP := -m pip --disable-pip-version-check --no-input
RECORDINGS ?= ../shared/recordings
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup local-models demo test lint unit gen check-gen breaking laws fuzz bench bench-check bench-harness lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.runtime ## what `antiphon` needs to run

# tritonserver goes in without its own requirements: they ask for things that only its Python API uses.
$(VENV)/.runtime: requirements/runtime.lock requirements/build.lock requirements/triton.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -q --no-compile --require-hashes -r requirements/build.lock -r requirements/runtime.lock
	$(BIN)/python $(PIP) install -q --no-compile --require-hashes --no-deps -r requirements/triton.lock
	$(BIN)/python $(PIP) install -q --no-compile --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	$(BIN)/python $(PIP) install -q --no-compile --require-hashes -r requirements/dev.lock
	touch $@

# torch by itself: its CPU build has other hashes than the package that brings CUDA along.
$(LOCAL_MODELS)/.ready: requirements/local-models.lock
	$(PYTHON) -m venv $(LOCAL_MODELS)
	$(LOCAL_MODELS)/bin/python $(PIP) install -q torch==2.13.0
	$(LOCAL_MODELS)/bin/python $(PIP) install -q --no-compile --require-hashes -r requirements/local-models.lock
	touch $@

local-models: $(LOCAL_MODELS)/.ready ## an environment with torch and transformers for models/local

demo: setup ## the main job, shown: chats, a stream, tools, embeddings, health, one trace
	antiphon demo

test: lint check-gen breaking unit ## everything that CI checks

unit: $(VENV)/.dev $(LOCAL_MODELS)/.ready ## the tests alone
	python -m pytest -q

lint: $(VENV)/.dev ## style, types, import rules, contract rules
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	buf lint

gen: $(VENV)/.dev ## regenerate gen/ from proto/
	buf generate

check-gen: $(VENV)/.dev ## gen/ is what proto/ generates
	python scripts/check_gen.py

breaking: $(VENV)/.dev ## the contract breaks no client of the main branch
	sh scripts/breaking.sh

laws: $(VENV)/.dev ## the codec laws over RECORDINGS=<folder>; JSON=1 for one JSON document
	@python -m tests.laws "$(RECORDINGS)" $(if $(JSON),--json)

bench: $(VENV)/.dev ## antiphon beside its peers; ARGS=--quick shows whether it works
	python -m bench setup
	python -m bench run $(ARGS)

bench-harness: $(VENV)/.dev ## lookups and starts in a folder of 50,000 recordings; ARGS="--exchanges 5000" for a smaller one
	python -m bench.harness.lookup $(ARGS)

bench-check: $(VENV)/.dev ## fails while the newest results of `make bench` miss a goal
	@python -m bench check

fuzz: $(VENV)/.dev ## 50,000 hostile inputs for each parser
	ANTIPHON_FUZZ_EXAMPLES=$(or $(EXAMPLES),50000) python -m pytest -q tests/fuzz --timeout=0

LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate --no-emit-index-url
lock: $(VENV)/.dev ## renew the locked requirements
	$(LOCK) -c requirements/constraints.txt pyproject.toml -o requirements/runtime.lock
	$(LOCK) -c requirements/constraints.txt pyproject.toml requirements/dev.in -o requirements/dev.lock
	$(LOCK) requirements/build.in -o requirements/build.lock
	$(LOCK) --no-deps requirements/triton.in -o requirements/triton.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) $(LOCAL_MODELS) .work bench/.work .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
