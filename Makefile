# Each target is enough on a fresh machine with Python 3.10 to 3.13.
#   make demo      the whole way, on drawn people: train, pack, recognize
#   make test      the quick tests
#   make test-all  these, the long ones and those that talk to servers
#   make lint      style and types
# PYTHON=… picks the interpreter for the environment in .venv, JOBS=… the number of test processes.

PYTHON ?=
VENV := .venv
IN_VENV := $(VENV)/bin/python
PIP := $(IN_VENV) -m pip --disable-pip-version-check --no-input
JOBS ?= 2
BROKEN := $(shell $(IN_VENV) -c '' >/dev/null 2>&1 || echo again)

# Native libraries that talk too much
export TF_CPP_MIN_LOG_LEVEL := 3
export GRPC_VERBOSITY := ERROR
export PYTHONUNBUFFERED := 1

.PHONY: demo test test-all lint format clean help

help:
	@sed -n '2,7s/^# //p' Makefile

demo: $(VENV)/.ready-demo
	@$(IN_VENV) -m benchmarks.demo

test: $(VENV)/.ready-test
	@$(IN_VENV) -m pytest -q -n $(JOBS) --dist loadfile

test-all: $(VENV)/.ready-test
	@$(IN_VENV) -m pytest -q -n $(JOBS) --dist loadfile -m "" --durations=10

lint: $(VENV)/.ready-test
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy

format: $(VENV)/.ready-test
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A stamp says that an install went through to its end; without it, or after setup.cfg has changed,
# the install is run again. An environment whose pip does not start is a torn one and made anew.
.PHONY: again
$(VENV)/.ready-%: setup.cfg pyproject.toml $(BROKEN)
	@if [ -e $(VENV) ] && ! $(IN_VENV) -m pip --version >/dev/null 2>&1; then \
	    echo "$(VENV) is incomplete, making it anew"; rm -rf $(VENV); \
	fi; \
	found=; if [ ! -e $(VENV) ]; then \
	    for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10); do \
	        if $$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	            >/dev/null 2>&1; then found=$$python; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "error: no Python 3.10 to 3.13 found (looked for:" \
	            "$(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10));" \
	            "install one, or name it: make PYTHON=python3.11"; exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$($$found --version)"; \
	    if ! $$found -m venv $(VENV) >/dev/null 2>&1; then \
	        rm -rf $(VENV); \
	        echo "error: $$found cannot make a virtual environment;" \
	            "on Debian and Ubuntu: apt install python3-venv"; exit 1; \
	    fi; \
	fi; \
	echo "Installing edge-recognize[$*] into $(VENV) (TensorFlow is large: a few minutes)"; \
	$(PIP) install -qq -e '.[$*]' && touch $@
