# `make` lists the targets. Everything is installed into .venv; nothing else on the machine is touched.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help book pdf zip slides test bench lint lock clean env venv

BIN := .venv/bin
# Python that makes the environment: the first of these that is 3.11 or newer (or say PYTHON=...).
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# Where to look for a build of torch first, such as one for the CPU (say TORCH_INDEX=...); empty: wherever pip looks.
TORCH_INDEX ?=
# Address of a GitHub repository that the site's launch buttons open (say REPOSITORY=...); empty: no buttons.
REPOSITORY ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export EQUINOTES_REPOSITORY := $(REPOSITORY)

help:  ## list what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

book: env  ## build the site into _build/html: trains small networks and runs the notebooks that changed
	@$(BIN)/equinotes book

pdf: env  ## the whole book as one PDF, _build/equinotes.pdf (needs Chromium)
	@$(BIN)/equinotes book --pdf

zip: env  ## the site to take away, _build/equinotes.zip: unpacked, it opens from the file system
	@$(BIN)/equinotes book --zip

slides: book  ## slides for each chapter, made from its page: _build/html/slides/index.html
	@echo "slides: _build/html/slides/index.html"

test: env  ## run all tests but those of the built site, which .ci/run asks behind `make book`
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --ignore tests/test_site.py

bench: env  ## measure against the peers again, into results/benchmarks (about an hour and a half; less with `python -m benchmarks --seconds 60`)
	@$(BIN)/python -m pip install --quiet $$($(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"])')
	@$(BIN)/python -m benchmarks

lint: env  ## check format, style and types (pre-commit runs the same)
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

lock: env  ## resolve pyproject.toml again into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --quiet \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate --output-file requirements.lock

clean:  ## remove the site, the executed notebooks and caches (keeps runs/ and .venv)
	@rm -rf _build _executed build htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# .venv keeps copies of the lock and of pyproject.toml as they were installed, so pip runs only when they differ.
# A copy is removed first and written last: an interrupted install is taken up again.
env:
	@if ! cmp -s requirements.lock .venv/requirements.lock; then \
		rm -f .venv/requirements.lock; \
		$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(MAKE) --no-print-directory venv; \
		echo "Installing the packages of requirements.lock (some minutes the first time)"; \
		[ -z "$(TORCH_INDEX)" ] || $(BIN)/python -m pip install --no-deps --index-url "$(TORCH_INDEX)" "$$(grep '^torch==' requirements.lock)"; \
		$(BIN)/python -m pip install -r requirements.lock; \
		cp requirements.lock .venv/; \
	fi
	@if ! cmp -s pyproject.toml .venv/pyproject.toml; then \
		rm -f .venv/pyproject.toml; \
		$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
		cp pyproject.toml .venv/; \
	fi

venv:
	@[ -n "$(PYTHON)" ] || { echo "equinotes needs Python 3.11 or newer and found none: install one, or say make PYTHON=/path/to/python" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "equinotes needs Python 3.11 or newer: PYTHON=$(PYTHON) is not" >&2; exit 2; }
	@"$(PYTHON)" -m venv --clear .venv || { echo "$(PYTHON) has no working venv module (python3-venv on Debian and Ubuntu)" >&2; exit 2; }
