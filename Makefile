PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: pictures help demo demo-real tour install test integration fast lint format docs wheel bench clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

$(BIN)/chejil: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev: $(BIN)/chejil
	$(PIP) install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

install: $(BIN)/chejil  ## the core alone, in .venv

demo: $(BIN)/chejil     ## write the sample corpus, run recipes/demo.yaml on it, show what was caught
	$(BIN)/chejil demo

demo-real: $(BIN)/chejil  ## the same on real text that pip carries
	$(BIN)/chejil demo --real

tour: $(VENV)/dev       ## from raw shards to a model that answers, in the folder tour: docs/tour.md; ten minutes
	OMP_NUM_THREADS=1 $(BIN)/python docs/tour.py tour

test: $(VENV)/dev       ## install everything, run the whole suite on WORKERS cores (2)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile

integration: $(VENV)/dev  ## a real Slurm (installed by apt) and a real Ray, of two nodes on this host; minutes
	$(BIN)/pytest tests/integration

fast: $(VENV)/dev       ## the suite without the slow and the corpus tests
	$(BIN)/pytest -m 'not slow and not corpus'

lint: $(VENV)/dev       ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev     ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev       ## write the generated pages of docs/ again
	$(BIN)/python -m chejil.reference docs

pictures: $(VENV)/dev   ## make the pictures of docs/ again (apt-get install chromium fonts-noto-cjk)
	$(BIN)/python docs/pictures.py

wheel: $(VENV)/dev      ## build the wheel and the sdist into dist/
	$(BIN)/python -m build --quiet

bench: $(VENV)/dev      ## our speed beside our peers'
	$(PIP) install --quiet --constraint constraints.txt --editable '.[bench]'
	for script in benchmarks/[a-z]*.py; do taskset -c 0 $(BIN)/python $$script || exit 1; done

clean:           ## remove what the targets above made
	rm -rf $(VENV) dist runs demo-corpus tour .pytest_cache .ruff_cache
