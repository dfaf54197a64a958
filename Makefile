# Rushes. `make run` starts it; `make help` lists the rest.
# All paths are relative, so that a clone may lie in a folder with a space in its name.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
WEB_DIST := src/rushes/web/dist

HOST ?= 127.0.0.1
PORT ?= 8000
RUSHES_VAR ?= ./var
# With FILE=..., `make run` plays that one file and nothing else.
FILE ?=
# Passed on to pytest, e.g. make test ARGS="-k plan"
ARGS ?=
# Half of the whole suite's time is waiting for processes: two modules at a time. (Tests of a module may share an instance.)
AT_ONCE := -n 2 --dist loadscope
# The contract suite waits most of all: each of its five deliveries in a process of its own.
CONTRACT := -n 5 --dist loadgroup tests/contract
# Deliveries beside the database; each is an extra with packages of its own.
ENGINES := rq celery q2
# Where the tests lie that run on both databases; the whole suite need not be read for them.
DATABASE_TESTS := $(wildcard $(addprefix tests/,jobs videos pipeline playback photos uploads api ops cli crash))
# A folder of real clips for the tests; where there is none, they use clips made here.
RUSHES_CLIPS ?= $(wildcard ../shared/clips)
export HOST PORT RUSHES_VAR FILE RUSHES_CLIPS

# A failed step leaves no file behind that looks finished.
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help venv run test e2e bench lint format lock clean

# What goals need first, and the run itself, is done as the making of an included makefile. Where a rule fails, make adds
# a line of its own and ends with 2; where the makefile of an `-include` can't be made it says nothing and goes on, here
# with a question: is the goal done (-q)? It is not, so make ends with 1, and the one line is that of the step that
# failed. Where all went well, make starts anew, with MAKE_RESTARTS set and no question.
READIED := $(filter venv run test e2e bench lint format lock,$(MAKECMDGOALS))
READY := $(READIED:%=ready-%)
.PHONY: $(READY)
ifdef READIED
ifneq (,$(findstring n,$(firstword -$(MAKEFLAGS)))) # make -n: makes included makefiles all the same
$(READIED): %: ready-%
else ifeq (,$(MAKE_RESTARTS))
MAKEFLAGS += -q
-include $(STAMPS)/ready.mk
endif
endif

$(STAMPS)/ready.mk: $(READY)
	@touch $@

help:
	@echo "make run    web and workers; HOST, PORT, RUSHES_VAR (database, media, credentials). FILE=...: play that file only"
	@echo "make venv   set everything up: .venv, pinned packages, ffmpeg, front end"
	@echo "make test   the tests; REQUIRE_SERVICES=1 fails where a program is missing; ARGS= goes to pytest"
	@echo "make e2e    only the tests in a real browser"
	@echo "make bench  the benchmarks, long; writes nothing, benchmarks/RESULTS.md is kept by hand"
	@echo "make lint   style, types and the direction of imports; make format mends the style"
	@echo "make lock   pin the newest packages that requirements/*.in and frontend/package.json allow"

venv run:
	@: # they are ready

ready-venv ready-test ready-e2e ready-bench ready-lint ready-format: \
		$(STAMPS)/runtime $(STAMPS)/dev $(WEB_DIST)/versions.json

ready-lock: $(STAMPS)/venv

$(STAMPS)/venv:
	@scripts/make-venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements/base.txt requirements/build.txt pyproject.toml
	@scripts/install-packages.sh $(VENV) requirements/base.txt requirements/build.txt
	@scripts/install-project.sh $(VENV)
	@touch $@

# The tests need every delivery.
$(STAMPS)/dev: $(STAMPS)/runtime requirements/dev.txt $(ENGINES:%=requirements/%.txt)
	@scripts/install-packages.sh $(VENV) requirements/dev.txt $(ENGINES:%=requirements/%.txt)
	@touch $@

# `RUSHES_DELIVERY=rq make run`, and captions with a model: their packages, where they are not there yet.
$(ENGINES:%=$(STAMPS)/engine-%) $(STAMPS)/engine-captions: $(STAMPS)/engine-%: requirements/%.txt $(STAMPS)/runtime
	@scripts/install-packages.sh $(VENV) requirements/$*.txt
	@touch $@

frontend/node_modules/.installed: requirements/node.txt frontend/package.json frontend/package-lock.json \
		frontend/.npmrc | $(STAMPS)/venv
	@scripts/npm.sh $(VENV) ci
	@touch $@

$(WEB_DIST)/versions.json: frontend/node_modules/.installed frontend/build.mjs \
		$(shell find frontend/src -type f)
	@scripts/npm.sh $(VENV) run --silent build

ready-run: $(STAMPS)/runtime $(WEB_DIST)/versions.json $(patsubst %,$(STAMPS)/engine-%,$(filter $(ENGINES),$(RUSHES_DELIVERY))) \
		$(if $(RUSHES_CAPTIONS_MODEL),$(STAMPS)/engine-captions)
	@scripts/run.sh $(VENV)

test:
ifdef ARGS
	@$(PYTHON) -m pytest $(ARGS)
	@echo "The tests marked \"databases\" again, on Postgres:"
	@RUSHES_TEST_DATABASE=postgres $(PYTHON) -m pytest -m databases $(ARGS) \
		|| [ $$? = 5 ] # 5: ARGS chose tests of which none needs a database
else
	@$(PYTHON) -m pytest -m "not alone" --ignore=tests/contract $(AT_ONCE)
	@$(PYTHON) -m pytest -m alone
	@$(PYTHON) -m pytest $(CONTRACT)
	@echo "The tests marked \"databases\" again, on Postgres:"
	@RUSHES_TEST_DATABASE=postgres $(PYTHON) -m pytest -m databases $(AT_ONCE) $(DATABASE_TESTS)
	@RUSHES_TEST_DATABASE=postgres $(PYTHON) -m pytest -m databases $(CONTRACT)
endif

e2e:
	@$(PYTHON) -m pytest -m e2e $(ARGS)

bench:
	@for script in benchmarks/bench_*.py; do $(PYTHON) "$$script" || exit 1; done

lint:
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@PYTHONPATH=src $(VENV)/bin/lint-imports --no-logo

format:
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

lock:
	@scripts/lock.sh $(VENV)

clean:
	rm -rf $(VENV) $(WEB_DIST) frontend/node_modules build
