# make demo: set up, and run the whole of aam on a simulated study.   make test: set up, and pass the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow test-all check format bench clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade -c constraints.txt pip setuptools
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/aam demo --output-dir demo --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest -n auto -m "not slow" $(PYTEST_ARGS)

# The tests that take more than ten seconds each: several processes, whole cross-validations, benchmarks.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -n auto -m slow $(PYTEST_ARGS)

test-all: test test-slow

check: $(STAMP)
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest tests/test_architecture.py -q

format: $(STAMP)
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

# About an hour on an idle machine; BENCH="--quick --results DIRECTORY" tries the first four in a few minutes.
BENCH ?= --document docs/explanation/speed-and-memory.md
STUDIES ?= $(wildcard ../shared/data/moving_pictures ../shared/data/ibd_2538)
bench: $(STAMP)
	$(BIN)/python benchmarks/speed.py $(BENCH)
	$(BIN)/python benchmarks/encoder_terms.py $(BENCH)
	$(BIN)/python benchmarks/options_cost.py $(BENCH)
	$(BIN)/python benchmarks/scaling.py $(BENCH)
	$(BIN)/python benchmarks/memory_estimate.py
	$(BIN)/python benchmarks/validation_memory.py
	$(if $(STUDIES),$(BIN)/python benchmarks/unifrac_cost.py $(STUDIES))

clean:
	rm -rf $(VENV) demo build
