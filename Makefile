# Planesmith: every command sets up what it needs.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: help demo test sim formal records board rtl golden docs lint check bench gpu-record clean
help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) must be on PATH; give another with: make PYTHON=python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(READY)  ## quantize a real model and verify its layers on generated RTL
	$(RUN) -m sim demo

test: $(READY)  ## run the tests
	$(RUN) -m pytest -q

sim: $(READY)  ## run the RTL benches on the standard configurations
	$(RUN) -m sim bench

formal: $(READY)  ## prove processing elements, streams, bus, sequencer and counters
	$(RUN) -m pytest -q tests/test_formal.py tests/test_formal_bus.py

records: $(READY)  ## measure the standard units on the ECP5 (an hour), and keep the figures
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[fpga]'
	$(RUN) -m fpga records docs/records/ecp5.json

board: $(READY)  ## make the bitstream of a small board (iCEBreaker)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[fpga]'
	$(RUN) -m fpga build icebreaker

rtl: $(READY)  ## write the Verilog of the default configuration to build/rtl
	mkdir -p build
	$(RUN) -m hwgen -o build/rtl

golden: $(READY)  ## write the committed Verilog again
	$(RUN) -m hwgen --k 2 --pe 4 --lanes 8 --columns 64 -o rtl/k2_pe4

docs: $(READY)  ## the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --quiet

lint: $(READY)  ## lint, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m basedpyright

check: lint test sim  ## everything that must hold

bench: $(READY)  ## time the exact reference against float layers
	$(RUN) -m models bench

# On a machine with its own PyTorch and no network: make gpu-record GPU_PYTHON=python3
GPU_PYTHON ?= $(RUN)
gpu-record: $(if $(filter $(RUN),$(GPU_PYTHON)),$(READY))  ## measure on a GPU (25 minutes; goes on where it stopped)
	$(GPU_PYTHON) -m models.gpu record
	$(GPU_PYTHON) -m models.gpu plot

clean:  ## remove builds, keep the environment
	rm -rf build
