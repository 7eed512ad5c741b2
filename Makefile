# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Any Python >= 3.10 starts the tools; they then find the interpreters for the environments below .cache/venv themselves.
PYTHON ?= $(shell for p in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.10; do \
  "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$$p" && break; done)
TOOLS := tests/tools
VENV := .cache/venv
STAGES := lint sanity unit integration e2e build
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-oom demo-upgrade check test soak lint molecule docs bench clean venvs prerequisites release release-check release-publish python $(addprefix test-,$(STAGES))

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24
	@echo '  make test-STAGE   one part of the tests: $(STAGES)'

demo: python ## restart a small mixed fleet before your eyes (KEEP=1 leaves it running, to play with)
	@$(PYTHON) $(TOOLS)/prereqs.py demo
	@$(PYTHON) $(TOOLS)/venvs.py demo
	@$(VENV)/demo/bin/python tests/fleet/demo.py $(if $(KEEP),--keep)

demo-oom: python ## kill an instance for memory, for real, and see the diagnosis; needs root, hits nothing else
	@$(PYTHON) tests/fleet/memory_group.py
	@$(PYTHON) $(TOOLS)/prereqs.py demo
	@$(PYTHON) $(TOOLS)/venvs.py demo
	@$(VENV)/demo/bin/python tests/fleet/demo_oom.py

demo-upgrade: python ## upgrade two old instances before your eyes: one ends well, one fails and is rolled back
	@$(PYTHON) $(TOOLS)/prereqs.py demo-upgrade
	@$(PYTHON) $(TOOLS)/venvs.py demo
	@$(VENV)/demo/bin/python tests/fleet/demo_upgrade.py

check: python ## before each commit: lint, unit tests on the newest Python, documents; two minutes
	@$(PYTHON) $(TOOLS)/prereqs.py check
	@$(PYTHON) $(TOOLS)/stages.py lint quick

test: python ## all tests and checks; as root on Debian or Ubuntu installs missing packages
	@$(PYTHON) $(TOOLS)/prereqs.py test --install
	@$(PYTHON) $(TOOLS)/stages.py $(STAGES)

lint: test-lint ## linters, types, documentation and licence checks

$(addprefix test-,$(STAGES)): test-%: python
	@$(PYTHON) $(TOOLS)/prereqs.py $*
	@$(PYTHON) $(TOOLS)/stages.py $*

soak: python ## the long runs: every kill at every step, for hours if you let it
	@$(PYTHON) $(TOOLS)/prereqs.py test --install
	@$(PYTHON) $(TOOLS)/stages.py soak

molecule: python ## all Molecule scenarios by 'molecule test --all' (SCENARIO=recover: one of them)
	@$(PYTHON) $(TOOLS)/prereqs.py molecule
	@$(PYTHON) $(TOOLS)/molecule_scenarios.py $(SCENARIO)

docs: python ## build the documentation site, without the network, below .cache/docs/html
	@$(PYTHON) $(TOOLS)/prereqs.py docs
	@$(PYTHON) $(TOOLS)/docsite.py

bench: python ## measure against baselines, into .bench/results.json (ONLY=c: one of the parts a, b, c, d, e, f)
	@$(PYTHON) $(TOOLS)/prereqs.py bench
	@$(PYTHON) $(TOOLS)/venvs.py demo
	@PYTHONPATH=tests/fleet:tests/tools:tests $(VENV)/demo/bin/python tests/bench/run.py

venvs: python ## only make the environments that development needs
	@$(PYTHON) $(TOOLS)/venvs.py dev core-2.16 core-2.19 core-2.21 || test $$? -eq 3

prerequisites: python ## name the packages that are missing, and how to install them (PART=check: one part; INSTALL=1 installs them)
	@$(PYTHON) $(TOOLS)/prereqs.py $(or $(PART),test) $(if $(INSTALL),--install)

release: python ## fold the changelog fragments into the version of galaxy.yml (VERSION=0.2.0 writes that one everywhere)
	@$(PYTHON) $(TOOLS)/release.py changelog $(VERSION)

release-check: python
	@$(PYTHON) $(TOOLS)/release.py check $(VERSION)

release-publish: python
	@$(PYTHON) $(TOOLS)/release.py publish $(ARCHIVE)

clean: ## remove all that these targets made
	rm -rf .cache .bench .ansible tests/output

python:
	@test -n '$(PYTHON)' || { echo 'No Python >= 3.10 with venv was found. On Debian: apt-get install python3 python3-venv' >&2; exit 1; }
