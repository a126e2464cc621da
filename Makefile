# Two commands set everything up on a machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := 0.13.9
READY  := $(VENV)/.ready
DEMO   ?= .roma
LARGE  ?= .roma-large
PYTEST := $(BIN)/python -m pytest
SUDO   := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.DEFAULT_GOAL := help
.PHONY: help cluster-test services demo gate gate-large report console lab check test quick notebooks e2e screenshots local-llm web web-types bench bench-parse bench-peers peers clients frameworks soak parse-gate lock clean system docs weights

help: ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "ROMA needs Python 3.11, 3.12 or 3.13; say which with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { command -v apt-get >/dev/null && \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv >/dev/null; } || \
	  { echo "Python's venv module is missing; install it (Debian: apt-get install python3-venv)."; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# $(call need,PROGRAM,DEBIAN PACKAGE,WHAT IS SKIPPED WITHOUT IT)
need = command -v $(1) >/dev/null 2>&1 || \
  { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq $(2) >/dev/null; } || \
  echo "No $(1): $(3) will be skipped."

services:
	@$(call need,redis-server,redis-server,tests of the queue in Redis)
	@$(call need,nginx,nginx-light,tests behind nginx)
	@$(call need,psql,postgresql,tests with PostgreSQL)

system: services ## Install Chromium, xmlsec1 and servers, which some tests need, where that is possible without asking.
	@command -v chromium-browser google-chrome >/dev/null 2>&1 || $(call need,chromium,chromium,the browser tests)
	@$(call need,xmlsec1,xmlsec1,the test with a real SAML provider)

demo: $(READY) ## Ingest the frozen corpus, ask it, score it; no key and no network service needed.
	@$(BIN)/roma demo --workspace $(DEMO)

gate: $(READY) ## Make the demo's workspace, and fail when the core of the golden set scores worse than the pinned baseline.
	@$(BIN)/roma demo --workspace $(DEMO) >/dev/null
	@$(BIN)/roma eval 'datasets/golden/golden_dataset.json#core' --gate datasets/golden/baseline.json --workspace $(DEMO)

gate-large: $(READY) ## The same for the set about the large corpus of installed packages.
	@$(BIN)/roma demo --packages --workspace $(LARGE) >/dev/null
	@$(BIN)/roma eval datasets/golden/packages.json --gate datasets/golden/packages-baseline.json --workspace $(LARGE)

report: $(READY) ## Write roma-report.html from the demo's last runs: trend, cost, coverage, open failures.
	@$(BIN)/roma report --workspace $(DEMO)

console: $(READY) ## Serve the console and the HTTP API on http://127.0.0.1:8000/console.
	@$(BIN)/roma serve --workspace $(DEMO)

lab: $(READY) ## Open the notebooks in JupyterLab, on the page that leads to them.
	@$(BIN)/jupyter lab --notebook-dir notebooks --LabApp.default_url=/lab/tree/00_setup.ipynb \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

check: $(READY) ## Formatting, lint, types, floors, dependencies and dead code.
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/nbstripout --verify notebooks/*.ipynb
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/deptry . >$(VENV)/deptry.log 2>&1 || { cat $(VENV)/deptry.log; exit 1; }
	@$(BIN)/python -m bench.house --check
	@! $(BIN)/vulture | grep -vE "unused (variable|attribute)"  # fields are read and written as a whole
	@$(BIN)/mypy
	@if $(MAKE) --no-print-directory $(WEB) >/dev/null 2>&1; then $(MAKE) --no-print-directory web; \
	  else echo "npm is missing or reaches no registry: the console's modules are not checked."; fi

WEB := tests/web/node_modules/.ready

$(WEB): tests/web/package-lock.json
	@cd tests/web && npm ci --silent && touch node_modules/.ready

web: $(WEB) ## The console's modules: eslint, tsc --checkJs, Vitest (needs Node 20).
	@tests/web/node_modules/.bin/eslint --config tests/web/eslint.config.js roma_core/ui/chat/static/*.js tests/web/*.js
	@cd tests/web && node_modules/.bin/tsc && node_modules/.bin/vitest run --silent --reporter=dot

web-types: $(READY) $(WEB) ## Write the types of the console's modules from its OpenAPI document.
	@$(BIN)/python -m bench.console_types

cluster-test: $(READY) services ## Workers, Dask, the queue in Redis, the corpus in a bucket, replicas: with services from Debian's packages, five minutes at most.
	@$(PYTEST) -q -m 'slow or not slow' tests/contracts/test_executors.py tests/integration/test_on_workers.py \
	  tests/unit/executor tests/unit/ingestion/test_shards.py tests/api/test_jobqueue.py tests/api/test_worker.py \
	  tests/contracts/test_store_folders.py tests/contracts/test_cache_shelves.py tests/unit/store/test_bucket.py tests/integration/test_on_bucket.py \
	  tests/integration/test_compose.py tests/integration/test_behind_nginx.py

quick: $(READY) ## The fast tests.
	@$(PYTEST) -q -m "not slow and not browser and not local_llm and not soak"

test: $(READY) system check ## Everything that must hold: checks, tests with coverage, notebooks, the gate.
	@$(BIN)/coverage erase
	@$(PYTEST) -q -n 2 --dist worksteal -m "not soak" --cov --cov-report= --durations=15
	@$(BIN)/coverage report --fail-under=90
	@$(BIN)/coverage json -q -o $(VENV)/coverage.json
	@ROMA_TEST_COVERAGE=$(VENV)/coverage.json $(PYTEST) -q tests/regression/test_coverage.py
	@$(MAKE) --no-print-directory notebooks
	@$(MAKE) --no-print-directory gate

notebooks: $(READY) ## Run every notebook under nbmake.
	@$(PYTEST) -q --nbmake --nbmake-timeout=300 --override-ini=timeout=600 notebooks

e2e: $(READY) system ## The console in a real Chromium.
	@$(PYTEST) -q -m browser

screenshots: $(READY) system ## Pictures of the console in each state, for the playbook, in docs/console.
	@$(BIN)/python -m bench console_pictures
	@test ! -d $(DEMO) || DEMO=$(DEMO) $(BIN)/python -m bench comparison_picture  # of the demo's runs, where it was made

local-llm: $(READY) ## Both vendors' SDKs against a real small model on loopback.
	@$(PYTEST) -q -m local_llm

docs: $(READY) ## Build the documentation as a site in .site; a warning is an error.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

weights: $(READY) ## Write docs/benchmarks/install.md: what each extra and each dependency weighs.
	@$(BIN)/python -m bench.weights

bench: $(READY) ## Measure speed and quality; writes docs/benchmarks.md.
	@$(BIN)/python -m bench

bench-parse: $(READY) ## Measure the parsers beside other libraries (those of make peers in the same run).
	@$(BIN)/python -m bench parse parse_pdf parse_peers parse_compare

peers: $(READY) ## Install the libraries that bench-parse measures beside ROMA into an environment of their own.
	@$(PYTHON) -m venv --clear bench/.peers
	@$(BIN)/uv pip install --quiet --python bench/.peers/bin/python -r bench/peers.txt

bench-peers: $(READY) ## Measure ingest, query and memory beside LlamaIndex, Haystack and LangChain, each in its own environment.
	@for name in haystack langchain llamaindex; do \
	  $(PYTHON) -m venv --clear benchmarks/.environments/$$name && \
	  $(BIN)/uv pip install --quiet --python benchmarks/.environments/$$name/bin/python -r benchmarks/environments/$$name.txt || exit 1; done
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.model

CLIENTS := $(VENV)/clients/.ready $(VENV)/readers/.ready $(VENV)/marimo/.ready

$(VENV)/%/.ready: tests/%.txt | $(READY)
	@$(PYTHON) -m venv --clear $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python -r $<
	@touch $@

clients: $(CLIENTS) ## Install the frameworks that are tried at ROMA's door, those that read its exports and show its chat, into environments of their own.

frameworks: $(READY) clients ## Ragas, datasets, LangChain, LlamaIndex and Haystack read what ROMA writes, and ask it; marimo shows its chat.
	@$(PYTEST) -q tests/integration/test_integrations.py tests/integration/test_lab_browser.py tests/unit/exports/test_frameworks.py tests/api/test_frameworks.py

soak: $(READY) clients ## Faults, kills and crowds for minutes; writes into docs/benchmarks.md.
	@ROMA_SEQUENCES=2000 $(BIN)/python -m pytest -q tests/unit/ingestion/test_model.py
	@ROMA_ACL_SEQUENCES=2000 $(BIN)/python -m pytest -q tests/unit/identity/test_model.py
	@ROMA_KILLS=50 $(BIN)/python -m pytest -q tests/integration/test_eval_killed.py
	@ROMA_QUEUE_KILLS=500 $(BIN)/python -m pytest -q -m slow tests/api/test_jobqueue.py -k kills
	@ROMA_WORKER_KILLS=100 $(BIN)/python -m pytest -q -m 'slow or soak' tests/integration/test_on_workers.py tests/contracts/test_executors.py
	@ROMA_ATTACKS=200 $(BIN)/python -m pytest -q tests/unit/citations/test_attacks.py
	@ROMA_TEST_SIZES=whole $(PYTEST) -q -m 'soak or slow or hypothesis'
	@$(MAKE) --no-print-directory frameworks
	@$(BIN)/python -m bench soak_ingest soak_sync soak_parse soak_llm soak_sse soak_compare llm_scripted zipf load

parse-gate: $(READY) ## Fail when a parser loses text, headings or table cells against the pinned baseline.
	@$(BIN)/python -m bench.parse_gate

lock: $(READY) ## Resolve the dependencies anew.
	@$(BIN)/uv pip compile pyproject.toml --extra all --extra card --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	@$(BIN)/python -m bench.conda

clean: ## Remove the environment, the demo's workspace and caches.
	@rm -rf $(VENV) .roma .roma-large .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov .coverage* .site
