# Every command of the project. `make help` lists them; a target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml operator/longtask/__init__.py
	@echo "Python environment in .venv (about a minute, once)"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --editable '.[operator]' --group dev
	@touch $@

.PHONY: cluster
cluster: .venv/.ready ## Bring up a cluster (kind, or a local one) and write .cluster/kubeconfig
	$(PY) -m tests.cluster up

.PHONY: clean-cluster
clean-cluster: ## Remove that cluster and everything it changed
	$(PYTHON) -m tests.cluster down

.PHONY: image
image: .venv/.ready ## Build longtask:dev and load it into the cluster
	$(PY) -m tests.cluster image

.PHONY: deploy
deploy: .venv/.ready ## Install CRD, policies, RBAC and operator with Helm
	$(PY) -m tests.cluster deploy

.PHONY: undeploy
undeploy: .venv/.ready ## Remove the operator; tasks and their CRD stay
	$(PY) -m tests.cluster undeploy

.PHONY: demo
demo: export KUBECONFIG =
demo: .venv/.ready ## The main job on real input: run, suspend, resume, kill, complete, terminate
	$(PY) -m tests.demo

.PHONY: fmt
fmt: .venv/.ready ## Format the code
	$(PY) -m ruff format . && $(PY) -m ruff check --fix .

.PHONY: lint
lint: .venv/.ready ## Lint, types and import layers
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports

.PHONY: generate
generate: .venv/.ready ## Write every generated file anew
	$(PY) -m tests.generate

.PHONY: verify
verify: .venv/.ready ## Fail if a generated file is not current
	$(PY) -m tests.generate --check

.PHONY: unit
unit: .venv/.ready ## Tests that need no cluster
	$(PY) -m pytest tests --ignore=tests/e2e --ignore=tests/faults --ignore=tests/chaos --ignore=tests/bench

# Most of them wait most of the time, so they run side by side; those that stop or freeze parts of the cluster run alone.
# An exported KUBECONFIG means nothing here: the cluster is our own, or the one that LONGTASK_CONTEXT names.
.PHONY: e2e
e2e: export KUBECONFIG =
e2e: .venv/.ready ## Tests on the real cluster, which is brought up with the operator in it
	$(PY) -m tests.cluster up
	$(PY) -m tests.cluster image
	$(PY) -m tests.cluster deploy
	$(PY) -m pytest tests/e2e -n $(SIDE_BY_SIDE) --dist loadgroup -m "not disruptive" || $(FAILED)
	$(PY) -m pytest tests/e2e -m disruptive || $(FAILED)

SIDE_BY_SIDE ?= 6
FAILED = { $(PY) -m tests.cluster diagnose; exit 1; }

# Questions come first. The cluster's programs take minutes to compile on a new machine: that goes on, with what the
# processors have to spare, while code and units are checked. Afterwards it is a matter of a second.
.PHONY: test
test: .venv/.ready ## Everything: lint, types, layers, unit, generated files, end to end; sets up what it needs
	$(PY) -m tests.cluster prepare
	@$(MAKE) --no-print-directory -j2 .programs .checks
	@$(MAKE) --no-print-directory verify
	@$(MAKE) --no-print-directory e2e

.PHONY: .programs
.programs: .venv/.ready
	nice -n 19 $(PY) -m tests.cluster build

.PHONY: .checks
.checks: .venv/.ready
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
