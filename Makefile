# The two commands of the README are `make quickstart` and `make test`; `make help` lists the rest.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SPARK := $(VENV)/installed-spark
TEST_WORKERS ?= 3

.PHONY: help quickstart test conformance lint format types imports check lock results benchmark training-cost reasons-cost service-cost pages-cost large-training scale screenshots clean faults axe

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: $(INSTALLED) ## a sample company, its models and its work list, on this machine
	@$(BIN)/tenure quickstart

test: $(INSTALLED) $(SPARK) ## every test that this machine can run
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

conformance: $(INSTALLED) $(SPARK) ## over 1,000 fresh companies on which no feature may look ahead
	@BATTERY_BATCHES=4 BATTERY_SIZE=7 $(BIN)/python -m pytest tests/conformance/test_known_when.py \
		tests/conformance/test_known_when_on_spark.py $(PYTEST_ARGS)

faults: $(INSTALLED) ## soak: checks killed at any time, long histories, one account with ten million events
	@FAULT_KILLS=100 INPUT_EXAMPLES=500 INCREMENTAL_DRAWS=100 LARGE_ACCOUNT=10000000 \
		PUBLISHER_KILLS=200 SWAPS=500 MUTANTS=1000 SKEW_ACCOUNTS=10000 \
		$(BIN)/python -m pytest tests/faults tests/features/sources/test_incremental.py tests/features/sources/test_bad_log.py tests/serving/pages/test_hostile.py

$(INSTALLED): requirements.lock pyproject.toml .ci/prerequisites
	@PYTHON="$$(sh .ci/prerequisites "$(PYTHON)")" && \
	echo "Making $(VENV) with $$PYTHON and installing the locked packages (a few minutes, once)" && \
	"$$PYTHON" -m venv $(VENV) && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SPARK): requirements-spark.lock $(INSTALLED) .ci/java
	@sh .ci/java
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	@touch $@

lint: $(INSTALLED) ## ruff, all rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(INSTALLED) ## let ruff lay the code out
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(INSTALLED) ## mypy, strict
	@$(BIN)/mypy

imports: $(INSTALLED) ## the direction of imports
	@$(BIN)/lint-imports

axe: tests/serving/browser/node_modules/installed ## what finds barriers in the pages, for the browser tests (needs npm)

tests/serving/browser/node_modules/installed: tests/serving/browser/package-lock.json
	@npm ci --no-audit --no-fund --ignore-scripts --loglevel=error --prefix tests/serving/browser
	@touch $@

check: lint types imports ## all that reads the code without running it

lock: $(INSTALLED) ## make the lock files anew from pyproject.toml (needs uv)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --quiet --extra test pyproject.toml --output-file requirements.lock
	@$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['spark'])" | \
		uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --quiet --constraints requirements.lock - --output-file requirements-spark.lock

results: $(INSTALLED) ## docs/results.md: figures on public sets and sample companies (hours; can be taken up again)
	@$(BIN)/python -m benchmarks.results

scale: $(INSTALLED) $(SPARK) ## docs/scale.md: growth with the log, when to move to Spark, a plan
	@$(BIN)/python -m benchmarks.scale

benchmark: $(INSTALLED) $(SPARK) ## docs/benchmarks.md: the features over a large log beside other ways (an hour; can be taken up again)
	@$(BIN)/python -m benchmarks.features

training-cost: $(INSTALLED) ## docs/training-cost.md: a training beside its bare boosters, and where the time goes
	@$(BIN)/python -m benchmarks.training

reasons-cost: $(INSTALLED) ## docs/reasons.md: what scores and reasons cost beside LightGBM (can be taken up again)
	@$(BIN)/python -m benchmarks.reasons_speed

service-cost: $(INSTALLED) ## docs/service-cost.md: a request beside other servers; needs wrk (can be taken up again)
	@$(BIN)/python -m benchmarks.service

pages-cost: $(INSTALLED) ## docs/pages-cost.md: the work list of 20,000 accounts, by tab, filter, sort and search
	@$(BIN)/python -m benchmarks.pages

large-training: $(INSTALLED) ## 20,000 accounts trained, registered and back-tested: minutes and memory of each verb
	@$(BIN)/python -m benchmarks.large_training

screenshots: $(INSTALLED) ## the README's words of the quickstart, and a picture of each page (minutes; needs Chromium)
	@$(BIN)/python -m benchmarks.screenshots

clean: ## remove what the tests and the environment left behind
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
