"""Tiling: its counts against plain loops, and what a circuit refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import random_stage

from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.codes import Activation, Requantize, Transform
from models.stage import Stage

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64, rows=20)


def stage_of(out: int, columns: int, group: int, **more: Any) -> Stage:
    """Make a stage with coefficients of 8 bits and no offsets, unless ``more`` says otherwise."""
    rng = np.random.default_rng(out)
    plain: dict[str, Any] = {"bounds": (-99, 100), "offset": None}
    return random_stage(rng, out, columns, group=group, **(plain | more))


def count(stage: Stage, config: HardwareConfig) -> tuple[int, int, int]:
    """Count words of a row tile, words and steps by walking the loops."""
    row_words = words = steps = 0
    for first_row in range(0, stage.out, config.pe):
        for start in range(0, stage.columns, stage.group):
            end = min(start + stage.group, stage.columns)
            for _ in range(start, end, config.lanes):
                row_words += first_row == 0
                words += 1
                for _ in stage.monomials:
                    for _ in range(0, config.act_bits, config.digit):
                        steps += 1
    return row_words, words, steps


@pytest.mark.parametrize("out", [1, 3, 4, 5, 20])
@pytest.mark.parametrize(
    ("columns", "group"), [(1, 1), (8, 8), (9, 8), (9, 9), (7, 3), (64, 64), (64, 16), (50, 24)]
)
def test_counts(out: int, columns: int, group: int) -> None:
    for config in (
        CONFIG,
        replace(CONFIG, lanes=5, columns=80),
        replace(CONFIG, act_bits=11, pe=3),
        replace(CONFIG, act_bits=11, digit=4, pe=3),
        replace(CONFIG, digit=8),
    ):
        stage = stage_of(out, columns, group)
        tiling = Tiling.of(stage, config)
        assert (tiling.row_words, tiling.words, tiling.steps) == count(stage, config)
        assert tiling.groups == stage.groups
        assert tiling.terms == stage.terms
        assert tiling.digits == config.digits


def test_largest_stage_that_fits() -> None:
    stage = stage_of(20, 64, 8)
    tiling = Tiling.of(stage, CONFIG)
    assert (tiling.row_words, tiling.row_tiles) == (CONFIG.buffer_words, CONFIG.most_row_tiles)


def test_example_of_the_architecture_page() -> None:
    """The numbers in ``docs/architecture.md``."""
    config = HardwareConfig()
    tiling = Tiling.of(stage_of(576, 576, 64), config)
    assert tiling == Tiling(9, 9, 2, 2, 2, 8, slots=8)
    assert (tiling.row_words, tiling.words, tiling.steps) == (18, 162, 2592)
    assert (config.scalers, config.slots, config.latency) == (8, 8, 33)
    wide = HardwareConfig(digit=4)
    assert Tiling.of(stage_of(576, 576, 64), wide).steps == 648
    assert (wide.scalers, wide.slots, wide.latency) == (32, 2, 27)


def requantize(bits: int = 8, scale: int = 1, views: int = 1) -> Requantize:
    return Requantize(np.full((views, 4), scale, np.int16), 3, bits)


def filled(value: int) -> np.ndarray:
    return np.full((1, 1, 1, 2), value, np.int16)


@pytest.mark.parametrize(
    ("changes", "parameters", "message"),
    [
        ({"k": 3}, {}, "k of the layer must be at most the circuit's 2, got 3"),
        ({"views": 2}, {}, "views of the layer must be at most the circuit's 1, got 2"),
        (
            {"bias": np.ones(4, np.int64), "columns": 64, "group": 64},
            {},
            "inputs of the layer must fit the activation buffer of 8 words, got 9 words",
        ),
        ({"monomials": (1, 2, 3)}, {}, "terms of the layer must be at most 2, got 3"),
        ({"out": 21}, {}, "rows of the layer must be at most 20, got 21"),
        (
            {"columns": 65},
            {},
            "inputs of the layer must fit the activation buffer of 8 words, got 9 words",
        ),
        (
            {"columns": 36, "group": 4},
            {},
            "inputs of the layer must fit the activation buffer of 8 words, got 9 words",
        ),
        (
            {"activation": Activation(bits=9)},
            {},
            "activation bits of the layer must be at most the circuit's 8, got 9",
        ),
        (
            {"transform": Transform("hadamard", 4, 4, bits=10)},
            {},
            "activation bits of the layer must be at most the circuit's 8, got 10",
        ),
        (
            {"activation": None},
            {},
            "activation bits of the layer must be at most the circuit's 8, got 16",
        ),
        (
            {"activation": Activation(bits=8, signed=False)},
            {},
            "act_signed must be False for the layer, got True",
        ),
        (
            {"activation": Activation(bits=4)},
            {"act_signed": False},
            "act_signed must be True for the layer, got False",
        ),
        (
            {"activation": Activation(scale="group", group=8, exponents=1)},
            {},
            "exponents of the layer must be at most the circuit's 0, got 1",
        ),
        (
            {"coefficients": filled(500)},
            {"acc_bits": 20},
            "acc_bits must be at least 21 for the layer, got 20",
        ),
        (
            {"coefficients": filled(128)},
            {"coef_bits": 8},
            "coef_bits must be at least 9 for the layer, got 8",
        ),
        (
            {"coefficients": filled(-129)},
            {"coef_bits": 8},
            "coef_bits must be at least 9 for the layer, got 8",
        ),
        (
            {"offset": np.full((1, 1, 1), 200, np.int16)},
            {"coef_bits": 8},
            "coef_bits must be at least 9 for the layer, got 8",
        ),
        (
            {"coefficients": filled(-16385)[..., :1], "mix": ((2, 2, -1),)},
            {},
            "coef_bits must be at least 17 for the layer, got 16",
        ),
        (
            {"coefficients": filled(-10923)[..., :1], "mix": ((1, 1, 3),)},
            {},
            "coef_bits must be at least 17 for the layer, got 16",
        ),
        (
            {"requantize": requantize(scale=-1000)},
            {"coef_bits": 8},
            "coef_bits must be at least 11 for the layer, got 8",
        ),
        (
            {"requantize": requantize(bits=7)},
            {},
            "requantized bits of the layer must be the circuit's 8, got 7",
        ),
        (
            {"requantize": requantize()},
            {"requantize_bits": 0},
            "requantized bits of the layer must be the circuit's 0, got 8",
        ),
        (
            {"requantize": requantize(views=2)},
            {},
            "views of the next layer must be the layer's 1 on a circuit, got 2",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], parameters: dict[str, Any], message: str) -> None:
    stage = stage_of(**({"out": 4, "columns": 8, "group": 8} | changes))
    with pytest.raises(ValueError, match=f"^{message}$"):
        Tiling.of(stage, replace(CONFIG, **parameters))


@pytest.mark.parametrize(
    ("changes", "parameters", "chain_bits"),
    [
        ({"activation": Activation(bits=3)}, {}, 16),
        ({"activation": Activation(bits=7, signed=False)}, {}, 16),
        ({"activation": Activation(bits=1, signed=False)}, {}, 16),
        ({"activation": Activation(bits=8, signed=False)}, {"act_signed": False}, 16),
        ({"activation": Activation(scale="static", value=2.0)}, {}, 16),
        ({"activation": None}, {}, 8),
        ({"transform": Transform("hadamard", 4, 4, bits=8)}, {}, 16),
        ({"coefficients": filled(127)}, {"coef_bits": 8}, 16),
        ({"coefficients": filled(-128)}, {"coef_bits": 8}, 16),
        ({"coefficients": filled(-64)[..., :1], "mix": ((2, 1, -1),)}, {"coef_bits": 8}, 16),
        ({"coefficients": filled(500)}, {"acc_bits": 21}, 16),
        ({"requantize": requantize()}, {}, 16),
    ],
)
def test_just_fits(changes: dict[str, Any], parameters: dict[str, Any], chain_bits: int) -> None:
    stage = stage_of(**({"out": 4, "columns": 8, "group": 8} | changes))
    Tiling.of(stage, replace(CONFIG, **parameters), chain_bits)


@pytest.mark.parametrize(
    ("words", "terms", "views", "pauses"),
    [(4, 1, 1, 0), (3, 1, 1, 1), (1, 1, 1, 3), (1, 2, 1, 6), (8, 2, 1, 3), (2, 2, 2, 9)],
)
def test_pauses_between_groups(words: int, terms: int, views: int, pauses: int) -> None:
    """Bit-parallel elements, four slots: sums end in every word's last steps, four cycles apart."""
    tiling = Tiling(5, 3, words, words, terms, 1, views, slots=4)
    gaps = [1] * (views * terms - 1) + [(words - 1) * views * terms + 1]
    assert pauses == sum(max(0, 4 - gap) for gap in gaps)
    assert tiling.pauses == 5 * 3 * pauses
    assert tiling.cycles == tiling.steps + tiling.pauses


def test_no_pauses_with_as_many_digits_as_slots() -> None:
    assert Tiling(5, 3, 1, 1, 2, 8, 2, slots=8).pauses == 0
