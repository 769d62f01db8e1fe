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
	$(PY) -m pytest tests/unit tests/contract tests/whole

.PHONY: e2e
e2e: .venv/.ready ## Tests on the real cluster
	$(PY) -m tests.cluster up
	$(PY) -m tests.cluster image
	$(PY) -m pytest tests/e2e

.PHONY: test
test: lint verify unit e2e ## Everything
