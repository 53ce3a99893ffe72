# Everything that one types in this repository; `make help` lists it.
# Setting up happens in steps. Each leaves a stamp and is repeated only when what it was made from changes.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A Python of 3.11 or later with venv; found among the usual names when not given.
PYTHON ?=
# auto: the CUDA build with an NVIDIA GPU, else the light CPU build; or cpu, or cuda.
TORCH ?= auto
# Processes that run tests side by side.
PROCESSES ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.setup
LAPTOP := $(or $(TILEFLEET_LAPTOP),.laptop)
AZURITE := $(LAPTOP)/node/installed.sha256

export PIP_DISABLE_PIP_VERSION_CHECK := 1

##@ Use

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	echo

.PHONY: demo
demo: setup ## Process the Isle of Man on the laptop cloud, with a table and a picture at the end
	@$(BIN)/laptop-cloud demo $(ARGS)

.PHONY: laptop
laptop: setup ## Run the laptop cloud until Ctrl-C; the programs find it by themselves
	@$(BIN)/laptop-cloud up $(ARGS)

.PHONY: enqueue
enqueue: region-is-given setup ## Enqueue a region: REGION=UK [YEAR=2024] [FLEET=name] [ARGS="--limit 100"]
	@$(BIN)/producer enqueue "$$REGION" $${YEAR:+--year "$$YEAR"} $${FLEET:+--fleet "$$FLEET"} $(ARGS)

.PHONY: region-is-given
region-is-given:
	@if [ -z "$${REGION:-}" ]; then
	    echo 'enqueue needs a region: `make enqueue REGION=UK`, or REGION="Isle of Man"' >&2
	    exit 2
	fi

##@ Install

.PHONY: setup
setup: $(STAMPS)/programs $(STAMPS)/torch $(AZURITE) ## Everything into .venv and .laptop; reuses what is there
	@:

.PHONY: torch
torch: $(STAMPS)/packages ## Install torch again: TORCH=auto, cpu or cuda
	@$(BIN)/python tools/install_torch.py --build $(TORCH)
	touch $(STAMPS)/torch

$(STAMPS)/venv:
	@tools/make_venv.sh $(VENV) $(PYTHON)
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: requirements/locked.txt | $(STAMPS)/venv
	@echo "Installing the locked Python packages into $(VENV)"
	tools/pip_install_locked.sh $(VENV) $<
	touch $@

$(STAMPS)/programs: pyproject.toml | $(STAMPS)/packages
	@$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

$(STAMPS)/torch: tools/install_torch.py | $(STAMPS)/packages
	@$(BIN)/python tools/install_torch.py --build $(TORCH)
	touch $@

$(AZURITE): laptop_cloud/node/package-lock.json | $(STAMPS)/programs
	@echo "Installing Azurite, the storage emulator, into $(LAPTOP)"
	$(BIN)/python tools/install_azurite.py $(LAPTOP)
	touch $@

##@ Check

.PHONY: check
check: setup ## Format, lint, types, import rules, fast unit tests; under a minute
	@$(MAKE) --jobs $(PROCESSES) --keep-going --output-sync=target format lint imports types unit

.PHONY: test
test: setup ## All tests, each with real parts that it starts itself
	@# One process more than cores, since many tests wait for programs; the long ones, of integration, come first.
	$(BIN)/pytest --numprocesses $$(($(PROCESSES) + 1)) --dist loadfile --no-loadscope-reorder --quiet $(ARGS)

.PHONY: drill
drill: setup ## Bad days of a fleet with real programs, and what they cost: [SEED=7] [ARGS="--times 3"]
	@$(BIN)/fleetctl drill all --parallel $(PROCESSES) $${SEED:+--seed "$$SEED"} $(ARGS)

.PHONY: format
format:
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }

.PHONY: lint
lint:
	@$(BIN)/ruff check --quiet .

.PHONY: imports
imports:
	@report=$$($(BIN)/lint-imports --no-logo) || { echo "$$report"; exit 1; }

.PHONY: types
types:
	@$(BIN)/mypy --no-error-summary

.PHONY: unit
unit: ## The fast unit tests alone
	@$(BIN)/pytest tests/unit tests/test_docs.py -m "not slow and not gpu" --numprocesses $(PROCESSES) --dist loadfile --quiet $(ARGS)

.PHONY: bench
bench: setup ## The speeds that the README claims, measured here in some minutes
	@quick='enumerate_land enqueue pipeline'
	for script in $$quick; do
	    echo "== benchmarks/$$script.py"
	    $(BIN)/python "benchmarks/$$script.py"
	done
	echo "== consumer bench"
	$(BIN)/consumer bench --model v2-nano --dtype fp32 --dtype bf16 --threads 1
	echo "These take longer, and say at their top what they need:"
	grep --files-with-matches __main__ benchmarks/*.py | grep --invert-match --extended-regexp "/($${quick// /|})\.py"

##@ Maintain

.PHONY: lock
lock: $(STAMPS)/venv ## Choose package versions again: ARGS=--upgrade for the newest ones
	@tools/lock.sh $(ARGS)

.PHONY: reference
reference: setup ## Write docs/commands.md and docs/settings.md again, from the programs
	@$(BIN)/python tools/commands_page.py
	$(BIN)/python tools/settings_page.py

.PHONY: clean
clean: ## Delete what was installed or built; .laptop keeps its data
	@rm -rf $(VENV) $(LAPTOP)/node build dist *.egg-info \
	    .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
