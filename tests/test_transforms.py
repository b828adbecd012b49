"""Transform units: blocks against the reference's integer transforms, with idles and stalls."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from amaranth.lib import wiring
from amaranth.sim import SimulatorContext
from streams import checker, feeder, put, simulate, timed

from hwgen.hadamard import Hadamard
from hwgen.matrix import Matrix
from hwgen.repeat import Repeat
from models.codes import Transform
from models.encode import transform
from models.integers import code_range

Pace = tuple[float, float]
"""Shares of idle cycles before a word, and of stalls."""

PACES = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.4, 0.4)]


def codes_of(rng: np.random.Generator, blocks: int, block: int, bits: int) -> np.ndarray:
    """Draw blocks of codes: the smallest, the largest, zeros, and random ones."""
    low, high = code_range(bits, signed=True)
    codes = rng.integers(low, high + 1, (blocks, block))
    for number, code in enumerate((low, high, 0)):
        codes[number] = code
    return codes


def words_of(blocks: np.ndarray, lanes: int) -> list[dict[str, Any]]:
    """Cut blocks into whole words; the second and the last block end vectors."""
    padded = np.pad(blocks, [(0, 0), (0, -blocks.shape[1] % lanes)])
    ends = {1, len(blocks) - 1}
    return [
        {"values": word.tolist(), "last": int(number in ends and start + lanes == len(row))}
        for number, row in enumerate(padded)
        for start in range(0, len(row), lanes)
        for word in [row[start : start + lanes]]
    ]


def run(
    dut: wiring.Component,
    spec: Transform,
    lanes: int,
    codes: np.ndarray,
    pace: Pace,
    negate: int | None = None,
) -> None:
    """Send blocks and compare all samples with the reference's."""
    rng = np.random.default_rng(5)
    due = transform(torch.from_numpy(codes.astype(np.int32))[:, None], spec)[:, 0].numpy()
    if spec.kind == "hadamard":  # several blocks may share a word
        width = max(lanes, spec.block)
        codes, due = codes.reshape(-1, width), due.reshape(-1, width)
    rows = [] if spec.matrix is None else words_of(spec.matrix.astype(np.int64), lanes)

    async def feed(ctx: SimulatorContext) -> None:
        if negate is not None:
            ctx.set(dut.negate, negate)
        for row in rows:
            await put(ctx, dut.i_matrix, row["values"])
        await feeder(dut.i, words_of(codes, lanes), pace[0], rng)(ctx)

    simulate(dut, feed, checker(dut.o, words_of(due, lanes), pace[1], rng))


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize(
    ("lanes", "block", "in_bits", "shift", "bits"),
    [(1, 2, 8, 0, 9), (4, 4, 8, 1, 8), (2, 8, 3, 3, 4), (4, 32, 8, 3, 8), (4, 1, 5, 2, 4)],
)
def test_hadamard(lanes: int, block: int, in_bits: int, shift: int, bits: int, pace: Pace) -> None:
    """Sylvester order, random signs, halves rounded up, saturation."""
    rng = np.random.default_rng(block)
    signs = rng.choice(np.array([-1, 1], np.int8), block)
    spec = Transform("hadamard", block, block, bits, shift, signs=signs)
    negate = sum(int(sign < 0) << place for place, sign in enumerate(signs))
    codes = codes_of(rng, 6 * max(1, lanes // block), block, in_bits)
    run(Hadamard(lanes, block, in_bits, shift, bits), spec, lanes, codes, pace, negate)


def test_hadamard_of_the_largest_block() -> None:
    """512 codes of 8 bits grow to 18 bits and lose none of them."""
    spec = Transform("hadamard", 512, 512, 16, 2)
    codes = codes_of(np.random.default_rng(1), 3, 512, 8)
    run(Hadamard(16, 512, 8, 2, 16), spec, 16, codes, (0.0, 0.0), 0)


@pytest.mark.parametrize(("lanes", "block"), [(2, 8), (1, 4), (4, 4), (8, 2), (4, 1)])
def test_a_word_a_cycle(lanes: int, block: int) -> None:
    """Words follow each other through all levels, and the last ones leave with none behind."""
    dut = Hadamard(lanes, block, 4, 0, 8)
    words = 5 * max(1, block // lanes)
    latency = (block.bit_length() - 1) + 2 + max(0, block // lanes - 1)
    taken, left = timed(dut, words_of(np.zeros((words, lanes), int), lanes), words)
    assert taken == list(range(words))
    assert left == list(range(latency, latency + words))


RATES = [
    (4, 8, 8), (2, 5, 8), (8, 8, 12), (3, 7, 7), (4, 9, 4), (1, 3, 5), (8, 16, 40), (4, 4, 5),
    (1, 1, 4),
]  # fmt: skip
"""Lanes, block and samples: whole and broken ratios, one below 1; words of a single step."""


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize(("lanes", "block", "samples"), RATES)
def test_repeat(lanes: int, block: int, samples: int, pace: Pace) -> None:
    """Each code held as the reference holds it; 8 bits saturate to 6."""
    spec = Transform("repeat", block, samples, 6)
    codes = codes_of(np.random.default_rng(samples), 6, block, 8)
    run(Repeat(lanes, block, samples, 8, 6), spec, lanes, codes, pace)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize(("lanes", "block", "samples"), RATES)
def test_matrix(lanes: int, block: int, samples: int, pace: Pace) -> None:
    """Any integers, also all at their extremes."""
    rng = np.random.default_rng(samples)
    matrix = rng.integers(-(1 << 15), 1 << 15, (samples, block)).astype(np.int16)
    matrix[0], matrix[-1] = -(1 << 15), (1 << 15) - 1
    spec = Transform("matrix", block, samples, 12, 13, matrix=matrix)
    codes = codes_of(rng, 6, block, 8)
    run(Matrix(lanes, block, samples, 8, 13, 12), spec, lanes, codes, pace)


@pytest.mark.parametrize(("lanes", "block", "samples"), RATES)
def test_repeat_gives_a_word_a_cycle(lanes: int, block: int, samples: int) -> None:
    """The first in the cycle after its block is there; blocks take as long as their longer side."""
    codes = codes_of(np.random.default_rng(1), 6, block, 8)
    words, given = -(-block // lanes), -(-samples // lanes)
    taken, left = timed(Repeat(lanes, block, samples, 8, 6), words_of(codes, lanes), 6 * given)
    assert left[0] == taken[words - 1] + 1
    starts = left[::given]
    assert {b - a for a, b in pairwise(starts)} == {max(words, given)}
    assert left[:given] == list(range(left[0], left[0] + given))


@pytest.mark.parametrize(("lanes", "block", "samples"), RATES)
def test_matrix_multiplies_in_every_cycle(lanes: int, block: int, samples: int) -> None:
    """A block takes as many cycles as its rows of the matrix have words."""
    dut = Matrix(lanes, block, samples, 8, 13, 12)
    words, given = -(-block // lanes), -(-samples // lanes)

    async def load(ctx: SimulatorContext) -> None:
        for _ in range(samples * words):
            await put(ctx, dut.i_matrix, [1] * lanes)

    codes = codes_of(np.random.default_rng(1), 6, block, 8)
    taken, left = timed(dut, words_of(codes, lanes), 6 * given, load)
    assert left[0] == taken[words - 1] + dut.latency
    ends = left[given - 1 :: given]
    assert {b - a for a, b in pairwise(ends)} == {samples * words}


@pytest.mark.parametrize("value", [0, 3, 6])
def test_hadamard_needs_powers_of_two(value: int) -> None:
    rule = f"^block must be a power of two for a Hadamard unit, got {value}$"
    with pytest.raises(ValueError, match=rule):
        Hadamard.check(4, value)
