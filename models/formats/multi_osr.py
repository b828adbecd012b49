"""Oversampling ratios by layer for a given average: more where weights are small (MultiOSR)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checks import require
from models.formats.sdq import Sdq

STEP = 0.25
"""What ratios are multiples of."""
BLOCK_NAME = re.compile(r"(.*?\.\d+)\.")
"""Up to the first number of a dotted name: the block of a decoder that a layer is in."""


@dataclass(frozen=True)
class Moments:
    """Number of weights, their sum and their sum of squares."""

    count: int
    total: float
    squares: float

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        mean = self.total / self.count
        return max(self.squares / self.count - mean**2, 0.0) ** 0.5


def moments_of(matrix: Tensor) -> Moments:
    """Return the moments of a matrix, summed in float64."""
    return Moments(
        matrix.numel(),
        float(matrix.sum(dtype=torch.float64)),
        float(torch.linalg.vector_norm(matrix, dtype=torch.float64)) ** 2,
    )


def multi_osr(spec: Sdq, layers: Mapping[str, Moments]) -> dict[str, Sdq]:
    """Give every layer a ratio, by the formulas of SDQ-LLM's code.

    Across the blocks of the decoder, with the standard deviation ``d`` of a block's weights and
    the average ratio ``a``, a block gets ``base + (a - base) * blocks * d^-p / sum d^-p``,
    rounded, scaled so that the mean is ``a``, and rounded; ``base`` is 1 up to ``a = 2`` and else
    ``0.75 a``, ``p`` is 2 up to ``a = 4`` and else 1.5. Within a block with ratio ``b``, a layer
    with deviation ``d`` and the share ``r`` of weights gets ``base + k * d^-q``, rounded, where
    ``k = (b - base) / sum r d^-q`` and ``q`` is 1.5, but 0.1 from ``b = 3.5`` on. Ratios are
    rounded to quarters, halves to even, so their mean is only about ``a``.

    Parameters
    ----------
    spec : Sdq
        Its ``osr`` is the average.
    layers : mapping of str to Moments
        Layers of a block are those with the same name up to the first number.

    Returns
    -------
    dict of str to Sdq
        As ``spec`` but for ``osr``.

    Raises
    ------
    ValueError
        All weights of a layer are equal, or a ratio is none that the format can have.
    """
    for name, moments in layers.items():
        got = "one value"
        require(moments.deviation > 0, f"weights of layer {name}", "differ for MultiOSR", got)
    average = spec.osr
    base = 1.0 if average <= 2 else 0.75 * average
    blocks: dict[str, list[str]] = {}
    for name in layers:
        found = BLOCK_NAME.match(name)
        blocks.setdefault(found[1] if found else name, []).append(name)
    sums = [
        sum((layers[name] for name in names), Moments(0, 0.0, 0.0)) for names in blocks.values()
    ]
    shares = np.array([block.deviation for block in sums]) ** -(2.0 if average <= 4 else 1.5)
    ratios = _quarters(base + (average - base) * len(blocks) * shares / shares.sum())
    ratios = _quarters(ratios * average / ratios.mean())
    chosen: dict[str, Sdq] = {}
    for names, ratio in zip(blocks.values(), ratios.tolist(), strict=True):
        counts = np.array([layers[name].count for name in names])
        power = np.array([layers[name].deviation for name in names])
        power = power ** -(0.1 if ratio >= 3.5 else 1.5)
        own = base + (ratio - base) * power / (counts / counts.sum() * power).sum()
        for name, osr in zip(names, _quarters(own).tolist(), strict=True):
            try:
                chosen[name] = replace(spec, osr=osr)
            except ValueError as error:
                raise ValueError(f"layer {name}: {error}") from error
    return {name: chosen[name] for name in layers}


def _quarters(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(ratios / STEP) * STEP
