# One command each. `make` alone lists them; `make PYTHON=/path/to/python3.12 test` chooses the interpreter.

PYTHON ?= $(shell for name in python3.11 python3.12 python3 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The constraints ask for torch==2.13.0, which PyPI answers on Linux with the CUDA build, several GB. Without an NVIDIA
# driver the CPU build is taken from here instead, when it can be reached. `make TORCH_INDEX=URL` chooses another index,
# `make TORCH_INDEX=` none.
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_INDEX ?= $(shell test "$$(uname -s)" = Linux && ! command -v nvidia-smi >/dev/null && \
	$(PYTHON) -c 'import urllib.request; urllib.request.urlopen("$(CPU_INDEX)/torch/", timeout=5)' 2>/dev/null && echo $(CPU_INDEX))

.PHONY: help install demo test accuracy soak check format bench clean

help:
	@echo "make demo    animate a face into out/demo.mp4 and a person into out/demo-body.mp4, both from samples/"
	@echo "make test    run the tests (ARGS='-m \"not slow\"' passes options to pytest)"
	@echo "make accuracy  print what the trackers reach on real clips, per clip (needs them: see CONTRIBUTING.md)"
	@echo "make soak    kill a run of preprocess twenty times and compare what it leaves (about five minutes)"
	@echo "make check   formatting, lint, types and the directions of the imports"
	@echo "make format  format the code and mend what the linter can mend"
	@echo "make bench   measure speed and memory (ARGS=tracker, drive, preprocess or diffusion for one part)"
	@echo "make clean   remove the environment, caches and outputs"

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found; run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV), which takes a few minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@index="$(TORCH_INDEX)"; $(BIN)/python -m pip install -qq --disable-pip-version-check \
		$${index:+--extra-index-url "$$index"} --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@mkdir -p out
	$(BIN)/facereenact drive --source samples/face.png --driver samples/talk.mp4 --output out/demo.mp4 \
		--compare --overwrite
	@$(BIN)/python samples/contact_sheet.py out/demo.compare.mp4 out/demo.jpg
	$(BIN)/facereenact drive --source samples/person.jpg --body-driver samples/sway.pose.safetensors \
		--driver samples/talk.mp4 --output out/demo-body.mp4 --overwrite
	@echo "The animated portrait is $(CURDIR)/out/demo.mp4; out/demo.jpg shows some of its frames"
	@echo "The animated person is $(CURDIR)/out/demo-body.mp4"

# As many tests at once as there are cores, each with one thread.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "not long" $(ARGS)

accuracy: $(INSTALLED)
	$(BIN)/python -m pytest --quiet -m "slow or long" tests/landmarks $(ARGS)

soak: $(INSTALLED)
	FACEREENACT_SOAK_KILLS=20 FACEREENACT_SOAK_CLIPS=60 timeout 3600 \
		$(BIN)/python -m pytest tests/facereenact/preprocessing/test_kill.py $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_imports.py

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	$(BIN)/python -m facereenact.bench $(ARGS)

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
