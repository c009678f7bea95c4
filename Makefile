# Two commands: `make demo` shows the main job on this machine, `make test` runs everything that CI runs.

PYTHON ?= $(shell scripts/python.sh)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint typecheck unit test-gpu resolve audit wheel train-env peers-env bench bench-compare soak fuzz clean

demo: $(STAMP)
	$(BIN)/edge-us demo --out out/demo

test: lint typecheck resolve unit audit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -q

# On a machine with an NVIDIA GPU: tests, then bench/results/gpu-NAME.json whatever the tests said. What is missing there
# (TensorRT, ONNX Runtime for GPUs, pycuda) is skipped by name. GPU_PYTHON=python3 takes an environment that is there instead
# of making one; docs/gpu.md names the few packages that it needs.
GPU_PYTHON := $(BIN)/python

test-gpu: $(if $(filter $(BIN)/python,$(GPU_PYTHON)),$(STAMP))
	@tests=0; bench=0; \
	$(GPU_PYTHON) -m pytest -q -p no:cacheprovider -m gpu tests/cuda/test_gpu.py || tests=$$?; \
	$(GPU_PYTHON) bench/gpu.py || bench=$$?; \
	exit $$(( tests > bench ? tests : bench ))

audit: $(STAMP)
	$(BIN)/python scripts/audit.py --sbom out/sbom.json

resolve: $(STAMP)
	$(BIN)/python scripts/check_resolves.py

wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

$(STAMP): pyproject.toml scripts/setup.sh
	scripts/setup.sh "$(PYTHON)" $(VENV)
	touch $@

# On a machine that does nothing else: about 6 minutes. `make bench-compare BASE=old.json` fails where a step became more
# than a tenth slower against inference alone in the same process.
SUITE := bench/results/suite.json

bench: $(STAMP)
	mkdir -p bench/results
	$(BIN)/python -m pytest -q bench/suite -p no:cacheprovider --benchmark-max-time=0.4 --benchmark-min-rounds=5 \
		--benchmark-columns=min,median,rounds --benchmark-json=$(SUITE)
	$(BIN)/python bench/slim.py $(SUITE)
	$(BIN)/edge-us bench --json bench/results/pipeline.json
	$(BIN)/python bench/write_md.py

bench-compare: $(STAMP)
	@test -n "$(BASE)" || { echo "error: make bench-compare BASE=old.json" >&2; exit 2; }
	mkdir -p out
	$(BIN)/python -m pytest -q bench/suite -p no:cacheprovider --benchmark-max-time=0.4 --benchmark-min-rounds=5 \
		--benchmark-columns=min,median,rounds --benchmark-json=out/suite-new.json
	$(BIN)/python bench/slim.py out/suite-new.json
	$(BIN)/python bench/compare_suite.py $(BASE) out/suite-new.json

# Half an hour with faults from a seeded schedule; about 200 MB in the folder for temporary files.
soak: $(STAMP)
	$(BIN)/python -m edge_us.testing.soak --minutes 30 --fps 60 --json bench/results/soak.json

# Every target gets 100,000 inputs or 30 minutes, whichever is first. Coverage guides it where atheris can be installed.
TARGET := all
SEED := 1

fuzz: $(STAMP)
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[fuzz]"
	$(BIN)/python -m fuzz.run --target $(TARGET) --inputs 100000 --minutes 30 --seed $(SEED)

# torch and ultralytics (which brings its own OpenCV) live in an environment of their own.
train-env: .venv-train/.installed

.venv-train/.installed: models/recipes/requirements.txt
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet -r models/recipes/requirements.txt
	touch $@

# One environment for each peer of the race: together about 9 GB. FAST also needs an OpenCL runtime and, without a
# screen, a virtual one: sudo apt-get install pocl-opencl-icd xvfb libgl1 libopengl0 libxcb-icccm4 libxcb-image0
# libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxkbcommon-x11-0
PEERS := ultralytics roboflow fast

peers-env: $(PEERS:%=.venv-peers/%/.installed)

.venv-peers/%/.installed: bench/peers/requirements-%.txt
	$(PYTHON) -m venv .venv-peers/$*
	.venv-peers/$*/bin/python -m pip install --quiet -r $<
	touch $@

clean:
	rm -rf $(VENV) .venv-train .venv-peers build dist out
