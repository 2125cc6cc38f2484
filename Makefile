# Each target is enough on a fresh machine with Python 3.10 to 3.13.
#   make demo      the whole way, on drawn people: train, pack, recognize
#   make test      the quick tests
#   make test-all  these, the long ones and those that talk to servers
#   make lint      style and types
#   make test-plain  the tests of edge/ on the plain install, by another PYTHON=…
#   make wheel     the wheel, with a bill of its materials (CycloneDX) for each target
#   make docs      the documentation site, in build/docs
#   make bench     RESULTS.md and the docs' plots anew from what is recorded
#   make seeds     five historical systems beside ours, on drawn people (SEEDS="5 --cmu DIR")
#   make peers     other face recognizers beside ours, on the data that EDGE_SHARED names
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

.PHONY: demo test test-all test-arm test-camera test-plain lint docs wheel constraints format clean help bench seeds peers

help:
	@sed -n '2,13s/^# //p' Makefile

demo: $(VENV)/.ready-demo
	@$(IN_VENV) -m benchmarks.demo

seeds: $(VENV)/.ready-demo
	@$(IN_VENV) -m benchmarks.seeds $(SEEDS)

peers: $(VENV)/.ready-demo
	@$(IN_VENV) -m benchmarks.peers

bench: $(VENV)/.ready-demo
	@$(IN_VENV) -m benchmarks.scaling --write

test: $(VENV)/.ready-test
	@$(IN_VENV) -m pytest -q -n $(JOBS) --dist loadfile

test-all: $(VENV)/.ready-test
	@$(IN_VENV) -m pytest -q -n $(JOBS) --dist loadfile -m "" --durations=10

# An environment of its own, made new where the interpreter is another one.
PLAIN := .venv-plain
test-plain:
	@if ! cmp -s setup.cfg $(PLAIN)/setup.cfg || [ "$$(cat $(PLAIN)/python 2>/dev/null)" != "$(PYTHON)" ]; then \
	    rm -rf $(PLAIN) && $(or $(PYTHON),python3) -m venv $(PLAIN) \
	    && $(PLAIN)/bin/python -m pip --disable-pip-version-check --no-input install -qq \
	        -e '.[secure,mqtt,heic]' 'pytest>=8' 'pytest-xdist>=3.5' 'hypothesis>=6.100' 'jsonschema>=4.18' psutil packaging \
	    && echo "$(PYTHON)" > $(PLAIN)/python && cp setup.cfg $(PLAIN)/setup.cfg; \
	fi
	@echo "Plain install on $$($(PLAIN)/bin/python --version)"
	@$(PLAIN)/bin/python -m pytest -q -n $(JOBS) --dist loadfile tests/edge

# aarch64 wheels, doctor, golden crops and a clip on emulated Raspberry Pis; needs apt-get download
test-arm: $(VENV)/.ready-test
	@$(IN_VENV) -m benchmarks.studies.on_arm

# edge-recognize before the kernel's test camera, in a qemu guest; says which programs it needs
test-camera: $(VENV)/.ready-test
	@$(IN_VENV) -m benchmarks.studies.on_camera

lint: $(VENV)/.ready-test
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy

# Strict: a broken link, or a public name that is gone, ends the build.
docs: $(VENV)/.ready-docs
	@NO_MKDOCS_2_WARNING=1 $(IN_VENV) -m mkdocs build --strict --quiet --clean
	@echo "wrote build/docs/index.html"

wheel: $(VENV)/.ready-release
	@rm -rf build/lib dist && $(PIP) wheel -q --no-deps --wheel-dir dist .
	@for file in constraints/*.txt; do \
	    $(IN_VENV) -m cyclonedx_py requirements "$$file" --output-reproducible --output-format JSON \
	        --output-file "dist/edge_recognize-$$(basename "$$file" .txt).cdx.json" || exit 1; \
	done
	@ls dist

# Pins and hashes of what a device installs, resolved again for each target.
constraints: $(VENV)/.ready-test
	$(IN_VENV) .ci/constraints.py

format: $(VENV)/.ready-test
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

clean:
	rm -rf $(VENV) $(PLAIN) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

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
