# Rushes. `make run` plays a video; `make help` lists the rest.
# All paths are relative, so that a clone may lie in a folder with a space in its name.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
WEB_DIST := src/rushes/web/dist

HOST ?= 127.0.0.1
PORT ?= 8000
RUSHES_VAR ?= ./var
# The video that `make run` plays; empty: a clip that it makes.
FILE ?=
# Passed on to pytest, e.g. make test ARGS="-k plan"
ARGS ?=
# A folder of real clips for the tests; where there is none, they use clips made here.
RUSHES_CLIPS ?= $(wildcard ../shared/clips)
export HOST PORT RUSHES_VAR FILE RUSHES_CLIPS

# A failed step leaves no file behind that looks finished.
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help venv run test e2e bench lint format lock clean

help:
	@echo "make run    play FILE=... (or a clip made here) while it is being encoded; HOST, PORT, RUSHES_VAR"
	@echo "make venv   set everything up: .venv, pinned packages, ffmpeg, front end"
	@echo "make test   the tests; REQUIRE_SERVICES=1 fails where a program is missing; ARGS= goes to pytest"
	@echo "make e2e    only the tests in a real browser"
	@echo "make bench  the benchmarks, long; writes nothing, benchmarks/RESULTS.md is kept by hand"
	@echo "make lint   style, types and the direction of imports; make format mends the style"
	@echo "make lock   pin the newest packages that requirements/*.in and frontend/package.json allow"

venv: $(STAMPS)/runtime $(STAMPS)/dev $(WEB_DIST)/versions.json
	@: # says nothing when nothing is to be done

$(STAMPS)/venv:
	@scripts/make-venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements/base.txt requirements/build.txt pyproject.toml
	@scripts/install-packages.sh $(VENV) requirements/base.txt requirements/build.txt
	@scripts/install-project.sh $(VENV)
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements/dev.txt
	@scripts/install-packages.sh $(VENV) requirements/dev.txt
	@touch $@

frontend/node_modules/.installed: requirements/node.txt frontend/package.json frontend/package-lock.json \
		frontend/.npmrc | $(STAMPS)/venv
	@scripts/npm.sh $(VENV) ci
	@touch $@

$(WEB_DIST)/versions.json: frontend/node_modules/.installed frontend/build.mjs \
		$(shell find frontend/src -type f)
	@scripts/npm.sh $(VENV) run --silent build

run: $(STAMPS)/runtime $(WEB_DIST)/versions.json
	@scripts/run.sh $(VENV)

test: venv
	@$(PYTHON) -m pytest $(ARGS)

e2e: venv
	@$(PYTHON) -m pytest -m e2e $(ARGS)

bench: venv
	@for script in benchmarks/bench_*.py; do $(PYTHON) "$$script" || exit 1; done

lint: venv
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@PYTHONPATH=src $(VENV)/bin/lint-imports --no-logo

format: venv
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

lock: $(STAMPS)/venv
	@scripts/lock.sh $(VENV)

clean:
	rm -rf $(VENV) $(WEB_DIST) frontend/node_modules build
