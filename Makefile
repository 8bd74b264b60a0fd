# Two commands from a fresh clone: make quickstart, make test. Each makes .venv first if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPTIONS ?= # of pytest, such as --durations=20
CONSTRAINTS ?= # a file of versions for the environment, such as .ci/oldest.txt
CORES := $(shell nproc 2>/dev/null || echo 2)
ONE_MORE := $(shell expr $(CORES) + 1) # than there are cores: some tests that land only wait

SCRIPTS := $(addprefix $(CURDIR)/tests/,faults fuzz mutating mutations.py comparison same.py) $(CURDIR)/docs/generator # for developers; mypy checks them like the package
TYPED := typed:$(CURDIR)/tests:$(CURDIR)/tests/faults:$(CURDIR)/tests/fuzz:$(CURDIR)/docs
PARTS := $(addprefix $(CURDIR)/,$(wildcard nas/*) search_spaces strategies train eval configs bench) # of the package nas

export PYTHONDONTWRITEBYTECODE := # compiled modules are kept: tests start many processes
# Temporary folders of tests are in memory where 4 GB of it are free: a seventh of their time was spent on disks.
export PYTEST_DEBUG_TEMPROOT ?= $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 ] 2>/dev/null && echo /dev/shm)

.PHONY: quickstart test landing smoke slow lint audit docs clean

quickstart: $(VENV)/installed
	$(BIN)/nas run quickstart

test: $(VENV)/installed
	$(BIN)/python -m pytest -m "not slow and not landing" -n $(CORES) --dist loadfile --no-loadscope-reorder $(OPTIONS)

# What a change that lands has to pass beside `make test`: whole commands, several processes, notebooks, statistics of many draws.
landing: $(VENV)/installed
	$(BIN)/python -m pytest -m "landing and not slow" -n $(ONE_MORE) --dist loadfile --no-loadscope-reorder $(OPTIONS)

# A few minutes. On the oldest torch: make smoke VENV=.venv/oldest CONSTRAINTS=.ci/oldest.txt
smoke: $(VENV)/installed
	$(BIN)/python -m pytest -m smoke -n $(CORES) --dist loadfile $(OPTIONS)

slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/typed && $(BIN)/python -m pip install --quiet --no-deps --target build/typed .
	cd build && MYPYPATH=typed $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p nas
	cd build && MYPYPATH=$(TYPED) $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --explicit-package-bases --follow-imports silent $(SCRIPTS)

# The site is build/site/index.html; to search it, serve it: python3 -m http.server -d build/site. Its tools are in an environment of their own; the reference is made by this one.
docs: $(VENV)/installed $(VENV)/docs/installed
	PYTHONPATH=docs $(BIN)/python -m generator build/docs $(if $(filter no,$(NOTEBOOKS)),--without-results)
	rm -rf build/package && mkdir -p build/package/nas && ln -s $(PARTS) build/package/nas
	$(VENV)/docs/bin/zensical build --clean --strict

$(VENV)/docs/installed: docs/requirements.txt
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet -r docs/requirements.txt
	touch $@

# In an environment of its own: pip-audit needs a newer `requests` than the extra torchattacks allows.
audit: $(VENV)/installed
	test -x $(VENV)/audit/bin/pip-audit || ($(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet pip-audit) || true
	$(BIN)/python .ci/audit.py $(VENV)/audit/bin/pip-audit

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(addprefix --constraint ,$(CONSTRAINTS)) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
