# Every command sets up what it needs. `make` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help root demo test s3 unit lint format pin clean

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
WORKERS ?= 3

help:  ## list the commands
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: root $(READY)  ## bring up the lab, sync a template, build examples/flask on it, run the image (root; LAB=off: see README)
	@$(PYTHON) lab/demo

# Most of the lab's tests wait, so a worker more than there are processors keeps those busy. What breaks the lab comes
# last, alone.
test: root lint s3  ## all checks, on the lab too (root)
	@lab/status >/dev/null || { trap lab/down EXIT; lab/up; }; code=0; \
	$(PYTHON) -m pytest -m "not last" -n $(WORKERS) --dist loadfile --no-loadscope-reorder || code=1; \
	$(PYTHON) -m pytest -m last || code=1; \
	exit $$code

root:
	@[ "$(LAB)" = off ] || [ "$$(id -u)" = 0 ] || \
	  { echo "the lab needs root: run it with sudo, or LAB=off make demo with your own cluster (README)" >&2; exit 1; }

s3: $(VENV)/s3/.ready  ## the checks of s3:// sources and of Amazon ECR, in an environment of their own
	$(VENV)/s3/bin/python -m pytest tests/test_contexts_s3.py tests/test_ecr_moto.py

unit: $(READY)  ## the checks that need neither root nor the lab
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile -m "not lab and not jvm"

lint: $(READY)  ## form, types, import direction
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(READY)  ## put the code into form
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

pin: $(READY)  ## write what is installed now into constraints.txt
	sed -n '/^#/p' constraints.txt > constraints.new
	$(PYTHON) -m pip freeze --all --exclude-editable | grep -v '^pip==' >> constraints.new
	mv constraints.new constraints.txt

clean:  ## remove what the commands made here; caches of the user stay
	-lab/down
	rm -rf $(VENV) .lab build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Debian's python3 comes without the module that makes virtual environments.
$(READY): setup.cfg constraints.txt
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } || \
	  { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/s3/.ready: setup.cfg constraints-s3.txt $(READY)
	python3 -m venv $(VENV)/s3
	$(VENV)/s3/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-s3.txt -e '.[s3,dev-s3]'
	@touch $@
