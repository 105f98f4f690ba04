# Needs make, git and Python 3.11 or newer; everything else is installed into .venv.
# Another interpreter: make PYTHON=/path/to/python3.13 test

.DELETE_ON_ERROR:
.PHONY: help demo test lint format types wheel bench fuzz soak clean

PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# How many test processes, and how many examples each of the sixteen parts of `make fuzz` makes.
JOBS ?= 2
EXAMPLES ?= 5000
KILLS ?= 200

help:
	@echo 'make demo    run merx on the sample catalogue'
	@echo 'make test    run the tests'
	@echo 'make lint    check style        make format  mend style'
	@echo 'make types   check types        make wheel   build dist/*.whl'
	@echo 'make bench   measure speed      make fuzz    hold the evaluators together over new examples, 16 times EXAMPLES=5000'
	@echo 'make soak    plan and apply under kill -9 and faults, KILLS=200 times'
	@echo 'make clean   remove all that make made'

.venv/made:
	@test -n "$(PYTHON)" || { echo 'merx needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# Two stamps: what running needs, and what developing needs besides. A changed dependency renews both.
.venv/runs: .venv/made pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable .
	@touch $@

.venv/develops: .venv/runs
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

demo: .venv/runs
	@$(BIN)/merx demo

test: .venv/develops
	$(BIN)/pytest -n $(JOBS) $(ARGS)

lint: .venv/develops
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/develops
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Type checkers cannot see through the editable install: the link makes the checkout look like the package.
types: .venv/develops
	@mkdir -p .ns && ln -sfn .. .ns/merx
	MYPYPATH=.ns $(BIN)/mypy -p merx

# A left-over build folder would bring deleted modules into the wheel.
wheel: .venv/develops
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .

bench: .venv/develops
	$(BIN)/python tests/benchmarks/bench.py $(ARGS)
	$(BIN)/python tests/benchmarks/bench_plan.py

fuzz: .venv/develops
	MERX_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n $(JOBS) tests/test_rulesets.py tests/test_twins.py -k "not planted" $(ARGS)

soak: .venv/develops
	$(BIN)/python tests/soak.py --kills $(KILLS) $(ARGS)

clean:
	rm -rf .venv .ns build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
