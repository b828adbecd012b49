"""The table of formats in ``docs/circuits.md``: run on circuits of each kind, and written so."""

import re
from functools import cache
from pathlib import Path

import pytest

from hwgen.config import KINDS
from models.formats import FORMATS
from models.reference import Reference
from sim.circuit import Circuit, CircuitExecution, Tally
from sim.formats import LAYERS, Cell, circuit_for, inputs, layer_of, run_formats, table
from sim.pool import Pool

PAGE = (Path(__file__).parents[1] / "docs" / "circuits.md").read_text()


@cache
def cells(kind: str) -> tuple[Cell, ...]:
    return tuple(run_formats((kind,)))


def test_every_format_has_a_layer() -> None:
    assert {text.partition(":")[0] for text, _ in LAYERS.values()} == set(FORMATS)


@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_every_format(kind: str) -> None:
    for cell in cells(kind):
        assert cell.unequal == 0, f"{cell.format}: {cell.unequal} of {cell.integers}"
        assert cell.integers > 0


def test_table_of_the_page() -> None:
    found = re.search(r"\| format \| `popcount`.*?\n\n", PAGE, re.DOTALL)
    assert found, "docs/circuits.md must have the table of formats"
    wanted = table([cell for kind in KINDS for cell in cells(kind)])
    assert found[0].strip() == wanted, "write it again with: python -m sim formats"


@pytest.mark.parametrize("kind", KINDS)
def test_layers_stage_by_stage(kind: str) -> None:
    """As in a language model: rows shared by engines, codes between stages given by the host."""
    layers = [layer_of(name) for name in LAYERS]
    pool = Pool(circuit_for(layers, kind), 2)
    circuit = Circuit(pool, Tally(), check=True)
    for layer in layers:
        got = CircuitExecution(layer, circuit)(inputs())
        assert (got == Reference(layer)(inputs())).all(), layer.name
    assert circuit.tally.integers > 0
    assert circuit.tally.unequal == 0
    pool.close()
