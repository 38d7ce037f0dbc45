# Everything a fresh clone needs; each target does its own set-up in .venv.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
export PYTHON

.PHONY: help live gui test test-devices lint format bench screenshots clean setup

help:
	@echo "make live         run the host: sound card if there is one, else the demo; OSC to 127.0.0.1:9000"
	@echo "make gui          the live visualizer"
	@echo "make test         all tests, real sound servers included"
	@echo "make lint         ruff, formatting, types"
	@echo "make bench        timed and scored: capture, clock, latency, load"
	@echo "make screenshots  pictures of the GUI and of the web page"
	@echo "make train-NAME   trains what ships anew: beat, voice, pitch, tags, key, structure, drums (TRAIN=FOLDER)"
	@echo "make clean        remove .venv and caches"
	@echo "Options: ARGS='--preset lighting' (live, gui), PYTHON=python3.12 (which Python makes the .venv)"

# Ctrl-C (status 130) is how a host is meant to end.
live:
	@scripts/setup.sh run
	@$(BIN)/sidechain live $(ARGS) || test $$? -eq 130

gui:
	@scripts/setup.sh gui
	@$(BIN)/sidechain gui $(ARGS)

setup:
	@scripts/setup.sh test

# Real threads and sound servers on a machine shared with others: what fails is tried once more, alone; what
# fails twice has failed.
AGAIN = $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

# In two runs: what needs a quiet machine (real sound servers, real time) goes alone, the rest side by side.
test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not device and not bench" $(ARGS) || $(AGAIN) -m "not device and not bench"
	$(BIN)/python -m pytest -m "device and not bench" $(ARGS) || $(AGAIN) -m "device and not bench"

test-devices: setup
	$(BIN)/python -m pytest -m "device and not bench" $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/sidechain bench load
	$(BIN)/sidechain bench latency
	$(BIN)/sidechain bench latency --through jack
	$(BIN)/sidechain bench clock
	$(BIN)/sidechain bench outputs
	$(BIN)/sidechain bench capture

screenshots: setup
	$(BIN)/python scripts/screenshots.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

include models/training/recipes.mk
