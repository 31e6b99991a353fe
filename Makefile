# The verbs of this repository; `make help` lists them. Only Python, Go, git and make are assumed, on Debian as root.
.DEFAULT_GOAL := help
.PHONY: help setup up down test shared-lab own-labs check types lint format unit gse e2e roles hardware bench wheel clean

VENV := .venv
BIN := $(VENV)/bin
SITE ?= inventories/lab/site.yml
# Compiled once, whatever the environment says: checks start Python programs by the dozen. The tree is left without it.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode
ANSIBLE_CONTENT := .ansible-lint .config .yamllint galaxy.yml meta molecule playbooks plugins requirements.yml roles
PACKAGES := python3-venv podman netavark conmon runc uidmap mmdebstrap buildah gcc libc6-dev libseccomp-dev pkg-config \
	nftables iptables openssh-client skopeo chromium fonts-dejavu-core

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(BIN)/gedge .venv/.packages ## Install what the project needs (Debian packages, a Python environment)

# dpkg-query first: nothing is asked of the network when everything is there.
.venv/.packages: Makefile | $(BIN)/uv
	@if ! dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(PACKAGES) 2>/dev/null | awk '$$2 != "installed" {bad=1} END {exit bad || NR < $(words $(PACKAGES))}'; then \
		echo "installing Debian packages: $(PACKAGES)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; fi
	@touch $@

# What stands in the environment last: a first time that was cut off is gone over again.
$(BIN)/uv:
	@python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
	@python3 -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt

$(BIN)/gedge: pyproject.toml requirements/dev.txt | $(BIN)/uv
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

up: setup ## Artifacts, lab, cluster, service: everything, from nothing
	@$(BIN)/gedge artifacts build
	@$(BIN)/gedge lab up $(SITE)
	@$(BIN)/gedge apply --site $(SITE)
	@$(BIN)/gedge service apply --site $(SITE) examples/services/service-app2.yaml --without-acceleration

down: setup ## Remove the lab; artifacts and images stay cached outside the tree
	@$(BIN)/gedge lab down $(SITE)

check: setup ## Format, lint, types, layers, unit tests, the web page
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(MAKE) --no-print-directory --jobs=3 --output-sync types lint unit

types: setup ## Types, and which layer imports which
	@$(BIN)/mypy
	@for program in programs/*; do MYPYPATH=programs/device-plugin $(BIN)/mypy $$program || exit 1; done
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

# File by file: of a folder that is a role it asks ansible-playbook for the syntax, a process for each; a unit test asks
# one for all of them.
lint: setup ## Roles and playbooks, by ansible-lint
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint -q $$(find $(ANSIBLE_CONTENT) -name __pycache__ -prune -o -type f -print)

format: setup ## Format and mend what can be mended
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

# The hardware tier alone: the clusters of the others would take from its guests what two cores have.
test: setup ## Every tier that this machine can carry: check, gse, roles, e2e, hardware (without its long tests)
	@$(MAKE) --no-print-directory check gse
	@$(BIN)/gedge artifacts build
	@$(MAKE) --no-print-directory --jobs=2 shared-lab own-labs
	@$(BIN)/pytest --durations=25 -m 'not long' tests/hardware

# Side by side, since half of either is waiting. The first is seen as it goes, the second when it has ended.
shared-lab: setup
	@$(BIN)/pytest --durations=25 -m 'not own_lab and not long' tests/e2e

own-labs: setup
	@log=$$(mktemp); trap 'cat $$log; rm $$log' EXIT; trap 'exit 130' INT TERM; \
	$(BIN)/pytest --durations=25 -m 'own_lab and not long' tests/kubelet_rules tests/roles tests/e2e >$$log 2>&1

# Those of programs first: they wait for much of their time, and in `make check` types and lint have the cores then.
unit: setup ## Unit tests
	@$(BIN)/pytest -q -n 2 tests/unit/programs tests/unit

gse: setup ## The GSE API server as a process, and its page in chromium, against a cluster in memory
	@$(BIN)/pytest -q -n 2 tests/gse tests/page

roles: setup ## Molecule on container nodes
	@$(BIN)/pytest tests/roles

e2e: setup ## The lab cluster
	@$(BIN)/pytest tests/e2e

hardware: setup ## Virtual functions and RDMA on two nodes of emulated hardware, long tests too
	@$(BIN)/gedge artifacts build
	@$(BIN)/pytest --durations=25 --ignore tests/hardware/test_host_tuning.py tests/hardware
	@$(BIN)/pytest --durations=25 tests/hardware/test_host_tuning.py # its guest has the machine for itself

bench: setup ## Install time beside bare kubeadm, many services beside kubectl, the GSE API beside the Kubernetes API, cost of a host, a thousand hosts on paper
	@$(BIN)/python -m bench.scale
	@$(BIN)/python -m bench.overhead
	@$(BIN)/python -m bench.install
	@$(BIN)/python -m bench.services
	@$(BIN)/python -m bench.gse_api

wheel: setup ## Build the wheel and the collection into dist/
	@$(BIN)/uv build -q --wheel --out-dir dist .
	@$(BIN)/ansible-galaxy collection build --force --output-path dist . >/dev/null
	@ls -1 dist

clean: ## Remove what these verbs made in the tree
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .ansible
