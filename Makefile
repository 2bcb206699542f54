# `make` lists the targets. They share one virtual environment, .venv, made by whichever runs first.

PYTHON ?= python3

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
# The front end: mirascope_ops/views/static, built out of jupyter_extension.
FRONTEND := jupyter_extension/build/.built
FRONTEND_SOURCES := $(shell find jupyter_extension/src -type f) $(wildcard jupyter_extension/*.*) \
	mirascope_ops/views/css/tokens.css tools/build_frontend.py

# pyright from the wheel, run by the Node that came with it: nothing is downloaded while linting.
export PYRIGHT_PYTHON_GLOBAL_NODE := off
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-fast test-pythons soak lint fmt bench clean

help:
	@echo "make demo          run notebooks/quickstart.ipynb on a fresh store, show what it made"
	@echo "make lab           open the same notebook in JupyterLab"
	@echo "make test          everything that must hold: lint, notebooks, tests"
	@echo "make test-fast     the tests that start no kernel and take no more than seconds"
	@echo "make test-pythons  the same on Python 3.11, 3.12, 3.13 and with the oldest OpenTelemetry"
	@echo "make soak          ten minutes of faults: writers killed and stopped, full disks, damaged files; MINUTES=1 for fewer"
	@echo "make lint          layers, ruff, pyright; biome and tsc for what runs in browsers"
	@echo "make fmt           format, and fix what can be fixed"
	@echo "make bench         what tracing costs, beside other libraries; QUICK=1 for a look, TOPICS=\"calls tail\" for some, TOPICS=timeline"
	@echo "make clean         remove what the targets made, but for .venv"

$(READY): pyproject.toml constraints.txt tools/check_python.py
	@$(PYTHON) tools/check_python.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV): some minutes, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		-c constraints.txt -e ".[notebook,llm,dev,neighbours]"
	@touch $@

$(FRONTEND): $(READY) $(FRONTEND_SOURCES)
	@$(BIN)/python tools/build_frontend.py
	@mkdir -p $(@D)
	@touch $@

demo: $(FRONTEND)
	@$(BIN)/python tools/demo.py

lab: $(FRONTEND)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/quickstart.ipynb

test: lint
	$(BIN)/python tools/build_frontend.py test
	$(BIN)/python tools/install_chromium.py
	$(BIN)/python tools/execute_notebooks.py --check
	$(BIN)/pytest

test-fast: $(FRONTEND)
	$(BIN)/pytest -m "not slow"

test-pythons:
	@$(PYTHON) tools/check_python.py
	@$(PYTHON) tools/test_pythons.py

soak: $(READY)
	$(BIN)/python tests/faults/soak.py --minutes $(or $(MINUTES),10)

lint: $(FRONTEND)
	$(BIN)/python tools/build_frontend.py lint
	$(BIN)/lint-imports --no-logo
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

fmt: $(READY)
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/python tools/build_frontend.py format

bench: $(FRONTEND)
	@$(BIN)/python benchmarks/run.py $(if $(QUICK),--quick) $(TOPICS)

clean:
	rm -rf mirascope_ops/views/static jupyter_extension/build jupyter_extension/node_modules
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -not -path './$(VENV)/*' -prune -exec rm -rf {} +
