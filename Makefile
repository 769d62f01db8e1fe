# Every command of the project. `make help` lists them; a target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python

# What is drawn at random in tests comes from this seed. It is printed; given back, it repeats the run.
LONGTASK_SEED ?= $(shell $(PYTHON) -c "import random; print(random.randrange(10**9))")
LONGTASK_SEED := $(LONGTASK_SEED)
export LONGTASK_SEED

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml operator/longtask/__init__.py
	@echo "Python environment in .venv (about a minute, once)"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --editable '.[operator]' --group dev
	@touch $@

# A server that speaks S3, for tests, in an environment of its own: what it needs does not go together with ours.
.venv-s3/.ready: Makefile
	$(PYTHON) -m venv .venv-s3
	.venv-s3/bin/python -m pip install --quiet 'moto[s3,server]>=5.2,<6'
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
unit: .venv/.ready .venv-s3/.ready ## Tests that need no cluster
	$(PY) -m pytest tests -n 2 --ignore=tests/e2e --ignore=tests/faults --ignore=tests/chaos --ignore=tests/bench

# Most of them wait most of the time, so they run side by side; those that stop or freeze parts of the cluster run alone.
# An exported KUBECONFIG means nothing here: the cluster is our own, or the one that LONGTASK_CONTEXT names.
.PHONY: e2e
e2e: export KUBECONFIG =
e2e: .operated .foreign .venv-s3/.ready ## Tests on the real cluster, which is brought up with the operator in it
	$(PY) -m pytest tests/e2e -n $(SIDE_BY_SIDE) --dist loadgroup -m "not disruptive" || $(FAILED)
	$(PY) -m pytest tests/e2e -m disruptive || $(FAILED)

# Faults at single requests, everything at random, and broken code that must be noticed. `make test` takes a slice.
.PHONY: faults
faults: export KUBECONFIG =
faults: .operated ## Faults at every request, chaos and mutants: with the seed's luck, or all with LONGTASK_PROOF=1
	$(PY) -m pytest tests/faults -n 4 || $(FAILED)
	$(PY) -m pytest tests/chaos || $(FAILED)
	$(PY) -m tests.mutants

.PHONY: .operated
.operated: .venv/.ready
	$(PY) -m tests.cluster up
	$(PY) -m tests.cluster image
	$(PY) -m tests.cluster deploy

.PHONY: .foreign
.foreign: .operated
	$(PY) -m tests.cluster foreign

SIDE_BY_SIDE ?= 6
FAILED = { $(PY) -m tests.cluster diagnose; exit 1; }

.PHONY: proof
proof: export LONGTASK_PROOF = 1
proof: .venv/.ready ## The guarantees: the model in full, every fault at every request, chaos, every mutant (an hour or two)
	$(PY) -m pytest tests/model tests/fuzz -n 2
	@$(MAKE) --no-print-directory faults

.PHONY: model-check
model-check: .operated ## For a new Kubernetes: record the real controllers anew and compare them with the simulated ones
	$(PY) -m tests.model.record --check

# On a quiet machine: what is compared is compared within one run, but both sides of a ratio need room.
.PHONY: bench
bench: export KUBECONFIG =
bench: export LONGTASK_FSYNC = 1
bench: .operated ## Measure everything against raw Jobs and others, into docs/benchmarks (an hour or two)
	$(PY) -m tests.bench run

.PHONY: bench-check
bench-check: export KUBECONFIG =
bench-check: export LONGTASK_FSYNC = 1
bench-check: .operated ## A small run of it; fails if a ratio is 20 % worse than the recorded one
	$(PY) -m tests.bench check

# Questions come first. The cluster's programs take minutes to compile on a new machine: that goes on, with what the
# processors have to spare, while code and units are checked. Afterwards it is a matter of a second.
.PHONY: test
test: .venv/.ready ## Everything: lint, types, layers, unit, generated files, end to end, a slice of the proof; sets up what it needs
	@echo "seed: LONGTASK_SEED=$(LONGTASK_SEED) make test repeats what this run draws"
	$(PY) -m tests.cluster prepare
	@$(MAKE) --no-print-directory -j2 .programs .checks
	@$(MAKE) --no-print-directory verify
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory faults

.PHONY: .programs
.programs: .venv/.ready
	nice -n 19 $(PY) -m tests.cluster build

.PHONY: .checks
.checks: .venv/.ready
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
