# Everything runs in .venv, which `make setup` makes; `make test` and `make demo` make it when needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 2
# The tests call clisc hundreds of times: its modules are compiled once, wherever the shell says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup test coverage package lint demo oldest soak bench bench-check completions docs tiny-models clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(READY)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two processes of one thread each, a file of tests to one of them: they share what is made for a file.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations=15

# The same with the lines that were run counted, which takes half as long again.
coverage: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term --cov-fail-under=85

# Builds sdist and wheel, installs the wheel outside the repository, and runs the demo from there.
package: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m package

# The tests with the oldest packages that pyproject.toml admits, in an environment of their own.
OLDEST := build/oldest
oldest:
	$(PYTHON) -m venv $(OLDEST)
	$(PYTHON) -m tests.support.oldest > $(OLDEST)/versions.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/versions.txt --editable '.[dev]'
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n 2 --dist loadfile

soak: setup
	$(BIN)/python -m pytest -m soak

# Ten minutes on two cores, and as long again or more for the pipeline; writes the tables of docs/performance.md anew.
bench: setup
	$(BIN)/python -m benchmarks --docs

# Fails when a ratio is worse than the committed one by more than the tolerance; seconds do not count.
bench-check: setup
	$(BIN)/python -m benchmarks --check

demo: setup
	$(BIN)/clisc demo clisc-demo

completions: setup
	$(BIN)/python -m clisc_cli.completion completions

docs: setup
	$(BIN)/python -m clisc_engine.settings.page docs/settings.md
	$(BIN)/python -m clisc_engine.products.page docs/store.md

# Hours on two cores; the new weights land in build/tiny for comparison with the bundled ones.
tiny-models: setup
	mkdir -p build/tiny/bank
	$(BIN)/python -m clisc_engine.tiny bank build/tiny/bank --stop 100
	$(BIN)/python -m clisc_engine.tiny clip build/tiny/bank --out build/tiny --state build/tiny/clip.pt
	$(BIN)/python -m clisc_engine.tiny sam build/tiny/bank --out build/tiny --state build/tiny/sam.pt

clean:
	rm -rf $(VENV) clisc-demo build dist *.egg-info
