# Two commands do everything: `make artifacts` and `make test`. Both make their own virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: artifacts test lint schemas clean

artifacts: $(VENV)/.export
	$(BIN)/python -m export all

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m export.schema --check
	$(BIN)/python -m scripts.schema --check

schemas: $(VENV)/.dev
	$(BIN)/python -m export.schema
	$(BIN)/python -m scripts.schema

$(VENV)/.export: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	touch $@

$(VENV)/.dev: $(VENV)/.export pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) artifacts
