"""Random layers that the kernels are compared on."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize
from models.equivalence import Equivalence
from models.planes import pack
from models.stage import Stage

LARGE = 4400
"""Rows that are more than two tiles for each multiprocessor of a large GPU."""


def random_layers(count: int, seed: int, device: str) -> Iterator[BitplaneLayer]:
    """Draw layers; on a GPU one of 40 is so large that blocks and warps go round their loops."""
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        if device == "cuda" and index % 40 == 39:
            yield plain_layer(rng, LARGE, 8 * int(rng.integers(600, 1100)))
        else:
            yield random_layer(rng)


def each_kind(device: str) -> Iterator[BitplaneLayer]:
    """Make a layer for each way through the kernels: large and plain, halved, rotated, general.

    Only on a GPU is the first one large; the emulation's multiprocessors are few.
    """
    rng = np.random.default_rng(0)
    yield plain_layer(rng, *((LARGE, 8192) if device == "cuda" else (300, 1024)), 128, planes=2)
    yield plain_layer(rng, 300, 1032, 64)
    yield replace(plain_layer(rng, 40, 320, 128), equivalence=random_change(rng, 320))
    wanted = {"base3", "chain", "masks"}
    while wanted:
        layer = random_layer(rng)
        stages = layer.paths[0].stages
        found = {
            "base3": stages[0].base3,
            "chain": len(stages) == 2,
            "masks": any(m & (m - 1) for m in stages[0].monomials),
        }
        if mine := {name for name in wanted if found[name]}:
            wanted -= mine
            yield layer


def random_stage(rng: np.random.Generator, out: int, columns: int, first: bool) -> Stage:
    """Draw a stage: sizes of groups, planes and terms, offsets and views at random."""
    k, views = int(rng.integers(1, 7)), int(rng.integers(1, 3))
    group = int(rng.choice([columns, min(columns, 128), int(rng.integers(1, columns + 1))]))
    plain = rng.random() < 0.7
    shape = (views, out, -(-columns // group))
    bits = rng.random((k, out, columns)) < 0.5
    monomials = [1 << plane for plane in range(k)] if plain else rng.integers(1, 1 << k, 3).tolist()
    coefficients = rng.integers(-3000, 3000, (*shape, len(monomials)))
    ternary = k == 2 and plain
    if ternary:
        bits[1] &= ~bits[0]
        coefficients[..., 1] = -coefficients[..., 0]
    scale = rng.uniform(0.5, 2, (views, columns)).astype(np.float32)
    return Stage(
        planes=pack(bits),
        columns=columns,
        group=group,
        coefficients=coefficients.astype(np.int16),
        monomials=tuple(monomials),
        offset=rng.integers(-3000, 3000, shape).astype(np.int16) if rng.random() < 0.5 else None,
        views=views,
        column_scale=scale if first else None,
        activation=Activation() if first else None,
        base3=ternary and bool(rng.random() < 0.5),
    )


def random_layer(rng: np.random.Generator) -> BitplaneLayer:
    """Draw a layer of one stage or a chain of two, of odd sizes."""
    out, columns = (int(rng.integers(1, most)) for most in (300, 1500))
    if rng.random() < 0.3:
        return plain_layer(rng, out, 8 * -(-columns // 8))
    if rng.random() < 0.7:
        stages = (random_stage(rng, out, columns, True),)
    else:
        inner = int(rng.integers(1, 200))
        first, last = random_stage(rng, inner, columns, True), random_stage(rng, out, inner, False)
        rows = rng.integers(-3000, 3000, (last.views, inner)).astype(np.int16)
        first = replace(first, requantize=Requantize(rows, 30))
        stages = (first, last)
    scale = rng.uniform(0.5, 2, out).astype(np.float32)
    change = random_change(rng, columns) if rng.random() < 0.3 else None
    return BitplaneLayer("random", columns, (Path(stages, scale),), equivalence=change)


def random_change(rng: np.random.Generator, inputs: int) -> Equivalence:
    """Draw a shift, a scale, and a rotation in the largest blocks that divide the inputs."""
    shift, scale = rng.uniform(0.5, 2, (2, inputs)).astype(np.float32)
    block = inputs & -inputs
    return Equivalence(
        shift if rng.random() < 0.5 else None,
        scale if rng.random() < 0.5 else None,
        block if block > 1 else 0,
    )


def plain_layer(
    rng: np.random.Generator,
    out: int,
    columns: int,
    group: int | None = None,
    planes: int | None = None,
) -> BitplaneLayer:
    """Draw one that the kernel for few tokens covers; group and planes, too, if not said."""
    group = min(columns, group or int(rng.choice([columns, 64, 128, 192, 256, 384])))
    has_offset, halved = rng.random() < 0.5, group < columns and group % 128 > 0
    k = planes or int(rng.integers(1, 4 if has_offset and halved else 5))
    shape = (1, out, -(-columns // group))
    stage = Stage(
        planes=pack(rng.random((k, out, columns)) < 0.5),
        columns=columns,
        group=group,
        coefficients=rng.integers(-32768, 32768, (*shape, k)).astype(np.int16),
        monomials=tuple(1 << plane for plane in range(k)),
        offset=rng.integers(-32768, 32768, shape).astype(np.int16) if has_offset else None,
        column_scale=rng.uniform(0.5, 2, (1, columns)).astype(np.float32)
        if rng.random() < 0.5
        else None,
        activation=Activation(bits=int(rng.integers(2, 9))),
    )
    scale = rng.uniform(1e-7, 2e-7, out).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32) if rng.random() < 0.5 else None
    return BitplaneLayer("random", columns, (Path((stage,), scale),), bias=bias)
