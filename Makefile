# What people and CI type. Everything runs in .venv, which is made and kept up to date on the way.

VENV := .venv
BIN := $(VENV)/bin
# Fast ones first, so that a simple mistake shows early. The local model wants all cores for itself. Status 5 says that
# ARGS chose no test.
TESTS := tests/unit tests/contract tests/api tests/clients tests/faults tests/studio
# Collections for bench-retrieval, a folder each: bench/retrieval.py says what is in them.
DATA ?= ../shared/data/retrieval

.DEFAULT_GOAL := help
.PHONY: help serve test check bench bench-retrieval screenshots coverage-table clean

help:
	@echo 'make serve   install what is missing and start Retinue on http://127.0.0.1:8000'
	@echo 'make test    run all tests, fast ones first; ARGS="-k words" goes to pytest'
	@echo 'make check   lint, formatting, types, import rules, then the tests'
	@echo 'make bench   measure chat and runs beside floors and other servers, the local model, search, ingestion, code (needs node)'
	@echo 'make bench-retrieval   measure what searches find in the collections in the folder DATA'
	@echo 'make screenshots   make the pictures of all pages in docs/images (needs chromium)'
	@echo 'make coverage-table   write docs/coverage.md: which official operations are served and tested'
	@echo 'make clean   remove caches and build products; .venv and data stay'

serve: $(VENV)/.installed
	$(BIN)/retinue serve $(ARGS)

test: $(VENV)/.installed-dev
	scripts/chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS) $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest tests/models $(ARGS) || [ $$? -eq 5 ]

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(MAKE) test

bench: $(VENV)/.installed
	$(BIN)/python bench/assistants.py $(ARGS)
	$(BIN)/python bench/long_threads.py
	$(BIN)/python bench/chat.py
	$(BIN)/python bench/local.py
	$(BIN)/python bench/vectors.py
	$(BIN)/python bench/ingestion.py
	$(BIN)/python bench/sandbox.py
	$(BIN)/python bench/studio.py

bench-retrieval: $(VENV)/.installed-dev
	$(BIN)/python bench/retrieval.py $(DATA)/* $(ARGS)

screenshots: $(VENV)/.installed-dev
	scripts/chromium
	$(BIN)/python -m pytest -n 0 -q tests/studio/screenshots.py

coverage-table: $(VENV)/.installed-dev
	$(BIN)/python -m tests.contract.coverage

clean:
	rm -rf .cache .hypothesis .import_linter_cache .pytest_cache .ruff_cache dist
	find src tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps lie inside .venv, so that a new environment is filled whatever the dates of the files here.
$(VENV)/.installed: pyproject.toml constraints.txt
	scripts/install .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	scripts/install '.[dev]'
	touch $(VENV)/.installed $@
