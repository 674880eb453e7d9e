# Thin on purpose: what happens is in tools/ and in the product itself. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help up down build build-dev dev test soak chaos check fmt bench clean lock

export PYTHONPATH := tools
PYTHON := .venv/bin/python
BOOTSTRAP := tools/python -m bootstrap

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

up: build ## install what is missing, build, start everything, print URL and login
	@exec ./nexus up

down: ## stop everything that `make up` started; guests keep running
	@./nexus down

build: ## install what is missing and build, start nothing
	@$(BOOTSTRAP)

build-dev:
	@$(BOOTSTRAP) packages-dev dev guest ui-dev

dev: build ## like up, with debug logs, and the UI's pages with hot reload (MANAGER_URL: only those, before that manager)
	@exec $(PYTHON) tools/dev.py

test: build-dev ## Go and Python tests, with real guests (pytest options in ARGS)
	@$(PYTHON) tools/test.py $(ARGS)

soak: build-dev ## for long: all of the API against its description, VM after VM on a busy host
	@NEXUS_TEST_EXAMPLES=500 $(PYTHON) -m pytest tests/manager/hostile/test_description.py --timeout 7200
	@$(PYTHON) -m benchmarks creates

chaos: build-dev ## kill everything a thousand times under load, see that nothing is lost (SEED=…, ARGS)
	@$(PYTHON) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

check: build-dev ## formats, lint, types, import rules, Go vet, generated files, client against the API
	@$(PYTHON) tools/check.py check

fmt: build-dev ## format the code, generate what is generated
	@$(PYTHON) tools/check.py fmt

bench: build-dev ## measure; what and how is in benchmarks/
	@$(PYTHON) -m benchmarks $(ARGS)

clean: ## remove build outputs and caches, never data
	@tools/python -m bootstrap.clean

lock: ## resolve the dependencies again into the two locks
	@tools/python -c 'from bootstrap.venv import lock; lock()'
	@tools/python -m bootstrap.ui_lock
