# make demo   fit a mesh to the built-in images        make test   run the tests
# Both set up what they need: system packages (apt), .venv, the package. PYTHON= names the interpreter (3.10 or newer),
# TORCH= the torch requirement, TORCH_INDEX= where pip finds it; without either tools/install-torch.sh chooses.

PYTHON ?= python3
TORCH ?=
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Processes that share the tests: the processors, four at most, for each brings threads of its own.
JOBS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
# PyTorch's idle threads would spin and take a core from llvmpipe: on a busy machine the demo took six times as long.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test quick lint types executor-check exact-check bench gpu-check wheel container-check bare-check browser-check mitsuba-check clean setup

demo: $(READY)
	$(BIN)/glrast fit demo --out out/demo

test: $(READY)
	$(PYTEST) --durations=10

quick: $(READY)
	$(PYTEST) -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pip install -q pyright
	$(BIN)/pyright --pythonpath $(BIN)/python

# Kernels as a GPU may run them, on the CPU: orders, schedules, arithmetic, races, bounds, sanitizers; needs GCC.
executor-check: $(READY)
	$(BIN)/python tests/executor/check.py

bench: $(READY)
	$(BIN)/pip install -q -e '.[bench]'
	$(BIN)/glrast bench --peer deodr

# The package with its kernels compiled for the CPU and for every GPU, in dist/. Needs no GPU.
wheel: $(READY)
	$(BIN)/python tools/cubins.py
	$(BIN)/pip wheel -q --no-deps --wheel-dir dist .
	ls -l dist

# On a machine with an NVIDIA GPU, as it is; GPU_CHECK="--wheels DIR" takes missing packages from a folder.
gpu-check:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) tools/gpu_check.py $(GPU_CHECK)

# The Dockerfile and this file's set-up, on machines that have nothing (needs root or subordinate ids; no daemon).
container-check: $(READY)
	TORCH='$(TORCH)' $(BIN)/python tools/container_check.py

# Whole `make demo` and `make test` on a machine that has nothing, with the PyTorch of TORCH: an hour on two cores.
bare-check: $(READY)
	TORCH='$(TORCH)' $(BIN)/python tools/container_check.py whole

# Models in three.js, in a browser without a screen, against `glrast render`; PICTURES= names a folder that keeps both.
browser-check: $(READY)
	sh tools/browser-packages.sh
	GLRAST_BROWSER_PICTURES='$(PICTURES)' $(BIN)/python -m pytest tests/browser

# The path tracer against glrast, and the example that needs it; installs Mitsuba and, where it is too old, an LLVM.
mitsuba-check: $(READY)
	sh tools/mitsuba-packages.sh $(BIN)/python
	$(BIN)/python -m pytest tests/mitsuba
	$(BIN)/python -m pytest tests/test_examples.py -k "global_light"

# What docs/exact.md says: its table, thousands of meshes. An hour on two cores; EXACT_CHECK=--quick three minutes.
exact-check: $(READY)
	$(BIN)/python -m tests.visibility.exact_table $(EXACT_CHECK)
	$(BIN)/python -m tests.visibility.exact_check $(EXACT_CHECK)

setup: $(READY)

# The kernels are compiled on installation, so a changed kernel installs again. The PyTorch that is there is asked for:
# else pip would exchange it for another where a requirement of ours and of PyTorch contradict each other.
$(READY): pyproject.toml kernels/CMakeLists.txt $(shell find kernels -type f)
	sh tools/system-packages.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	sh tools/install-torch.sh $(BIN)/python '$(TORCH)' '$(TORCH_INDEX)'
	$(BIN)/pip install -q -e '.[fit,test]' "$$(sh tools/install-torch.sh $(BIN)/python --installed)"
	touch $(READY)

clean:
	rm -rf $(VENV) build dist out
