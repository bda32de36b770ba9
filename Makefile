# Everything runs in .venv, which `make setup` makes; `make test` and `make demo` make it when needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 2

.PHONY: setup test lint demo soak bench coverage tiny-models clean

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

test: lint
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=85 --durations=15

soak: setup
	$(BIN)/python -m pytest -m soak

demo: setup
	$(BIN)/clisc demo clisc-demo

tiny-models: setup
	$(BIN)/python -m clisc_engine.tiny clip
	$(BIN)/python -m clisc_engine.tiny sam

clean:
	rm -rf $(VENV) clisc-demo build dist *.egg-info
