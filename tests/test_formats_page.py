"""The page on formats: its storage formulas, its paragraphs, and its example of a new format."""

import re
import sys
from math import ceil
from pathlib import Path
from types import ModuleType

import naive
import numpy as np
import pytest
import torch
from matrices import layer_of, weights

from models import formats
from models.codes import Activation
from models.dense import dense, relative_error
from models.formats import FORMATS, describe, parse
from models.formats.dbf import Product
from models.reference import run

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([a-z]\S*)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def test_every_format_has_a_row_and_a_paragraph() -> None:
    assert {spec.partition(":")[0] for spec, _ in ROWS} == FORMATS.keys()
    assert set(re.findall(r"\*\*`(\w+)`\*\*", PAGE)) == FORMATS.keys()


@pytest.mark.parametrize(("text", "formula"), ROWS)
def test_stored_bits_are_those_of_the_page(text: str, formula: str) -> None:
    n, m = 20, 37  # a short last group
    layer, spec = layer_of(text, weights(n, m)), parse(text)
    size = getattr(spec, "group", getattr(spec, "block", m))
    grouped = getattr(spec, "scale", "group") == "group"
    known = vars(spec) | {"n": n, "m": m, "g": -(-m // size) if grouped else 1, "ceil": ceil}
    if isinstance(spec, Product):
        known["r"] = spec.rank(n, m)
    assert layer.stored_bits == eval(formula, {"__builtins__": {}}, known)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make a module of the page's example, with its row in the table."""
    code = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(code) == 1
    module = ModuleType("normal")
    monkeypatch.setitem(sys.modules, "normal", module)
    exec(compile(code[0], "docs/formats.md", "exec"), vars(module))
    monkeypatch.setitem(formats.FORMATS, "normal", module.Normal)
    return module


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_the_example_takes_the_nearest_level(example: ModuleType, bits: int) -> None:
    weight = weights(6, 37)
    weight[1, 8:16] = 0
    quantiles = [
        float(torch.special.ndtri(torch.tensor((i + 0.5) / 2**bits, dtype=torch.float64)))
        for i in range(2**bits)
    ]
    levels = np.round(63 * np.array(quantiles) / quantiles[-1]) / 63
    got = dense(layer_of(f"normal:bits={bits},group=8", weight))
    for start in range(0, 37, 8):
        part = weight[:, start : start + 8]
        mine = levels * np.abs(part).max(axis=1, keepdims=True)
        nearest = np.abs(part[:, :, None] - mine[:, None]).argmin(2)
        want = np.take_along_axis(mine, nearest, axis=1)
        assert np.abs(got[:, start : start + 8] - want).max() < 1e-2  # int16 coefficients


def test_the_example_is_a_format_like_others(example: ModuleType) -> None:
    weight, text = weights(9, 37), "normal:bits=3,group=8"
    layer = layer_of(text, weight)
    assert layer.stored_bits == 3 * 9 * 37 + 16 * 9 * 5 + 32 * 9 + 8 * 2**3
    assert describe("normal").startswith("normal:bits=3,group=64,coef_bits=16  Levels")
    inputs = torch.from_numpy(weights(60, 37, seed=1)) @ torch.from_numpy(weights(37, 37, seed=2))
    hessian = inputs.T @ inputs / 60
    calibrated = parse(text).quantize(weight, "x", Activation(), hessian)
    lost = [float((((dense(it) - weight) @ hessian.numpy()) * (dense(it) - weight)).sum())
            for it in (layer, calibrated)]  # fmt: skip
    assert lost[1] < 0.5 * lost[0]
    assert calibrated.stored_bits == layer.stored_bits
    x = weights(2, 37, seed=3)
    assert run(calibrated, torch.from_numpy(x)).tolist() == [
        [float(y) for y in naive.output(calibrated, token)] for token in x
    ]
    assert relative_error(weight, layer_of("normal:bits=4,group=8", weight)) < 0.02
    with pytest.raises(ValueError, match=r"^bits must be from 1 to 4, got 5$"):
        parse("normal:bits=5")
