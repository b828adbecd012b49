"""The table of formats in ``docs/circuits.md``: run on circuits of each kind, and written so."""

import re
from functools import cache
from pathlib import Path

import pytest

from hwgen.config import KINDS
from models.formats import FORMATS
from sim.formats import LAYERS, Cell, run_formats, table

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
