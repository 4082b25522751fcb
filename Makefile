# SPDX-FileCopyrightText: 2026 the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Thin on purpose: what happens stands in tools/.

PYTHON ?= python3
GATE := lint sanity unit package integration faults molecule lab
export INVENTORY LIMIT LEVEL CHECK EXTRA

.DEFAULT_GOAL := help
.PHONY: help setup harden assess clean distclean test test-full bench docs $(GATE)

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12
	@echo "single stages of the gate: $(GATE)"

setup: ## Install what the lab and the tests need
	@$(PYTHON) tools/setup.py

harden: ## Harden the lab, or INVENTORY=path [LIMIT=host] [LEVEL=strict] [CHECK=1] [EXTRA="options of ansible-playbook"]
	@$(PYTHON) tools/playbook.py harden

assess: ## Look, change nothing; takes the same
	@$(PYTHON) tools/playbook.py assess

clean: ## Remove the lab
	@$(PYTHON) tools/lab.py down

distclean: clean ## Remove everything that was made here
	rm -rf .build tests/output

test: ## The gate: what each change is tested with
	@$(PYTHON) tools/gate.py test

test-full: ## The gate, the other platforms, all faults, the browser; or STAGES="molecule platforms" of it
	@$(PYTHON) tools/gate.py test-full $(STAGES)

bench: ## Benchmarks, into docs/benchmarks.md
	@$(PYTHON) tools/setup.py
	@$(PYTHON) tools/run.py python tools/bench.py

docs: ## Write the generated pages
	@$(PYTHON) tools/setup.py
	@$(PYTHON) tools/run.py python tools/generate_docs.py

$(GATE):
	@$(PYTHON) tools/gate.py $@
