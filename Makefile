# Everything a developer does here. Each target does the set-up it needs, so start with any of them.

ARGS ?=
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
LOCKED := --require-hashes --requirement
# Stamps: what they depend on is installed as it is now.
RUN := $(VENV)/.ready-to-run
DEV := $(VENV)/.ready-to-develop
# Tools with environments of their own, as nothing else needs them.
UV := build/uv/bin/uv
AUDIT := build/pip-audit/bin/pip-audit
ATHERIS := build/atheris/atheris
SBOM := build/cyclonedx-bom/bin/cyclonedx-py
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install run test check format-check lint types imports docs-agree bench bench-quick check-bench bench-peers matrix soak fuzz format lock audit sbom clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DEV) ## install into .venv, with what tests and checks need

run: $(RUN) ## see it work: an embedded Kafka, a sandbox API and the bridge between (ARGS="--duration 60")
	@$(BIN)/productiv-bridge demo $(ARGS)

test: check ## all checks, then all tests (ARGS="-k offsets")
	@$(BIN)/python -m pytest --numprocesses 4 --dist worksteal $(ARGS)

check: format-check lint types imports docs-agree ## what can be said without running it: the five below

format-check: $(DEV) ## is everything formatted?
	@$(BIN)/ruff format --check --quiet . || { echo "'make format' would format it"; exit 1; }

lint: $(DEV) ## ruff's rules
	@$(BIN)/ruff check --quiet .

types: $(DEV) ## mypy, strict
	@$(BIN)/mypy

imports: $(DEV) ## do imports point one way?
	@$(BIN)/lint-imports --no-logo

docs-agree: $(DEV) ## do documents, schemas, topics and locks say what the code says?
	@$(BIN)/python -m pytest --quiet -m docs_agree tests

bench: $(DEV) ## measure the bridge beside other programs, on real Kafka (ARGS="throughput --rounds 1")
	@$(BIN)/python -m tests.bench $(or $(ARGS),all)

bench-quick: $(DEV) ## CPU time of the bridge as a ratio to the floor's, in two minutes (ARGS="--accept" to keep it)
	@$(BIN)/python -m tests.bench quick $(ARGS)

check-bench: $(DEV) ## the same, and fails where a ratio is worse by more than 15 % than the one accepted last
	@$(BIN)/python -m tests.bench quick --check $(ARGS)

bench-peers: $(DEV) ## install the programs that `make bench` compares with, each apart, and say which there are
	@$(BIN)/python -m tests.bench peers

matrix: $(DEV) ## every disturbance with every answer of the API, on real Kafka (ARGS="--only SIGKILL")
	@$(BIN)/python -m tests.matrix $(ARGS)

soak: $(DEV) ## half an hour with everything disturbed at random (ARGS="--seconds 120")
	@$(BIN)/python -m tests.soak $(ARGS)

fuzz: $(DEV) $(ATHERIS) ## look for input that ends badly, on Linux (ARGS="--seconds 600 decoders")
	@PYTHONPATH=$(dir $(ATHERIS)) $(BIN)/python -m tests.fuzz $(ARGS)

format: $(DEV) ## format everything and mend what ruff can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

lock: $(UV) ## pin the newest versions of all dependencies, with hashes
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) pyproject.toml --extra tracing --constraint requirements.txt --output-file requirements-tracing.txt
	@$(COMPILE) pyproject.toml --extra tracing --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt
	@$(COMPILE) --group build --constraint requirements-dev.txt --output-file requirements-build.txt
	@for peer in tests/bench/peers/*.in; do $(COMPILE) $$peer --output-file $${peer%.in}.txt || exit; done

# Strict: a package that nothing can be learnt about must not pass for one without faults.
audit: $(AUDIT) ## ask PyPI for known vulnerabilities of what is pinned
	@$(AUDIT) --strict --disable-pip $(LOCKED) requirements-dev.txt $(LOCKED) requirements-build.txt

# Of an environment as the Dockerfile makes it, so that licences and who needs what are in it.
sbom: $(SBOM) $(RUN) ## write build/sbom.json: the Python packages of the image, as CycloneDX
	@$(BIN)/python -m venv --clear --without-pip build/image
	@$(PIP) --python build/image/bin/python install $(LOCKED) requirements.txt
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/image/wheel .
	@$(PIP) --python build/image/bin/python install --no-deps build/image/wheel/*.whl
	@sed "s/^dynamic = .*/version = '$$($(BIN)/python -c 'import bridge; print(bridge.__version__)')'/" pyproject.toml \
		>build/image/pyproject.toml
	@$(SBOM) environment --pyproject build/image/pyproject.toml --mc-type application --output-reproducible \
		--output-file build/sbom.json build/image/bin/python
	@echo build/sbom.json

clean: ## remove what was made here, except downloads
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python=$$(PYTHON="$(PYTHON)" sh tools/find_python.sh) && \
		echo "Setting up $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)

$(RUN): $(BIN)/python pyproject.toml requirements.txt requirements-build.txt
	@echo "Installing productiv-bridge"
	@$(PIP) install $(LOCKED) requirements.txt $(LOCKED) requirements-build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements-dev.txt
	@echo "Installing what tests and checks need"
	@$(PIP) install $(LOCKED) requirements-dev.txt
	@touch $@

$(UV) $(AUDIT):
	@python=$$(PYTHON="$(PYTHON)" sh tools/find_python.sh) && "$$python" -m venv --clear $(@D)/..
	@$(@D)/python -m pip --disable-pip-version-check --quiet --no-input install $(@F)

$(SBOM):
	@python=$$(PYTHON="$(PYTHON)" sh tools/find_python.sh) && "$$python" -m venv --clear $(@D)/..
	@$(@D)/python -m pip --disable-pip-version-check --quiet --no-input install cyclonedx-bom

$(ATHERIS): $(BIN)/python
	@$(PIP) install --target $(@D) $(@F)
