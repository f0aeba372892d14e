# `make demo` and `make test` work from a fresh clone: they make .venv and install what they need into it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TRAINED := $(VENV)/.trained
TORCH := torch==2.13.0
BESIDE := -n logical --dist worksteal  # a test process for each core

.PHONY: demo test test-all test-fast lint bench docs gallery clean

demo: $(INSTALLED)
	$(BIN)/paredown demo

test: $(TRAINED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest $(BESIDE) -m "not (real and slow)"

test-all: $(TRAINED)
	$(BIN)/pytest $(BESIDE)

test-fast: $(TRAINED)
	$(BIN)/pytest $(BESIDE) -m "not slow and not real"

lint: $(TRAINED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/run.py --material $(or $(PAREDOWN_MATERIAL),../shared)

docs: $(INSTALLED)
	$(BIN)/python tools/api_reference.py build/docs

gallery: $(TRAINED)
	$(BIN)/python tools/gallery.py $(if $(MINUTES),--minutes $(MINUTES))

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml Makefile
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "paredown needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# Pinned: an unpinned torch may bring gigabytes of CUDA along. The types are checked with torch in place.
# pnnx asks for torchvision and does not need it.
$(TRAINED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps pnnx
	touch $@
