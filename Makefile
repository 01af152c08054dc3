# make digits     set everything up, learn handwriting from real MNIST (about one to three minutes on two cores),
#                 measure what was learned, and write today's date with it
# make lessons    set everything up and open the lessons in the browser
# make docs       set everything up and build the site: build/site/html/index.html
# make test       set everything up, run every check and every test; those of the web page where Node and browsers are
#                 found
# make check      lint, types, the order of imports and the fast tests: about a minute
# make coverage   every test that need not be alone on the machine, and the lines and branches that none executes: 20
#                 minutes
# make check-web  with Node: types, lint and tests of the web page, and whether the built page matches its sources
# make gpu        on a machine with a CUDA device: the tests and the measurements that need one (20 minutes)
# make wheel      build dist/*.whl, install it into a clean environment and use it
# make clean      remove .venv, build, dist and the caches; runs and my-lessons stay

PYTHON ?= python3
BIN := .venv/bin
# The tests of one file share what they train, so they run in one process. The files with the most tests begin first: a
# long test alone in its file would be last, and leave a core idle. Both processes load every test file. pytest rewrites
# each one only once if Python may write bytecode.
TWO_PROCESSES := --numprocesses 2 --dist loadfile
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest $(TWO_PROCESSES)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The make of macOS cannot keep the output of parallel jobs apart.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help digits lessons docs test check coverage check-web gpu wheel clean
.PHONY: lint types contracts fast-tests most-tests

# The first target is what `make` alone does.
help:
	@sed -n '/^#/!q; s/^# //p' Makefile

digits: .venv/installed
	$(BIN)/inkgan train --out runs/digits --force
	$(BIN)/inkgan evaluate runs/digits --report runs/digits-report.html --force
	$(BIN)/inkgan write $$(date +%Y-%m-%d) --model runs/digits -o runs/digits-date.png --force
	@echo "generated digits: runs/digits/pictures/sheet.png   today's date: runs/digits-date.png"
	@echo "report card:      runs/digits-report.html           go on with:   source .venv/bin/activate; inkgan --help"

# Copies to work in: your changes to them are kept. Their links lead to the documents, so Jupyter has to see those, too.
lessons: .venv/installed-lessons
	$(BIN)/python scripts/lessons.py copy my-lessons
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/my-lessons

docs: .venv/installed-dev
	$(BIN)/python scripts/site.py

# The type checker keeps one core busy for a minute, so the contracts and then the tests begin beside it. Loading all
# test files to find the one that has a test for itself would take as long as that test.
test: .venv/installed-dev lint
	@$(MAKE) --no-print-directory --jobs 2 types contracts most-tests
	$(BIN)/pytest -m alone $$(grep --recursive --files-with-matches --include='test_*.py' mark.alone tests)
	LEARN_SECONDS=1 $(BIN)/python scripts/check_web.py --browsers --if-found

# Coverage counts in all processes: those of the tests, and those that they start.
coverage: .venv/installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(TWO_PROCESSES) -m "not alone"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check-web: .venv/installed-dev
	$(BIN)/python scripts/check_web.py

# Two at a time: the type checker and the tests keep one core busy each.
check: .venv/installed-dev
	@$(MAKE) --no-print-directory --jobs 2 $(SYNC) lint contracts types fast-tests

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

contracts: .venv/installed-dev
	$(BIN)/lint-imports

most-tests: .venv/installed-dev
	$(PYTEST) -m "not alone"

fast-tests: .venv/installed-dev
	$(PYTEST) -m "not slow and not gpu"

gpu: .venv/installed-dev
	$(BIN)/pytest -m gpu
	$(BIN)/python benchmarks/gpu.py --record

wheel: .venv/installed-dev
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python scripts/check_wheel.py dist/*.whl

# What fails is not kept: the next make tries again. If the Python of .venv has gone, .venv is made anew, and what was
# installed there is installed again.
ifeq ($(shell test -e $(BIN)/python || echo gone),gone)
.venv/installed .venv/installed-lessons .venv/installed-dev: .venv/bin/python
endif

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "inkgan needs Python 3.11 or newer. Name one: make $(MAKECMDGOALS) PYTHON=python3.13"; false; }
	$(PYTHON) -m venv --clear .venv || { rm -f $@; false; }

# An environment that uv made has no pip. pip is not quiet, because the first time it downloads hundreds of megabytes.
define install
@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip
$(BIN)/python -m pip install --editable '.[$(1)]'
endef

# Each stamp records what is installed. A change of pyproject.toml installs it again.
.venv/installed: pyproject.toml | .venv/bin/python
	$(call install,train)
	touch $@

.venv/installed-lessons: pyproject.toml | .venv/bin/python
	$(call install,lessons)
	touch $@ .venv/installed

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(call install,dev)
	touch $@ .venv/installed

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
