"""Weights as a processing element reads them: passes over a stage's terms, and how one is written.

A pass is what the array does with a word in ``digits`` steps. With popcount it is a binary term,
and a word has the planes as they are. With addsub and lut a pass has a weight for each row and
column, 0 or 1, or -1, 0 or +1 where weights are ternary; a word has these weights. Two terms whose
coefficients are each other's negatives, as the planes of a ternary format, then take one pass.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.patterns import code_bits, encode_patterns
from models.planes import unpack
from models.stage import Stage


@dataclass(frozen=True)
class Pass:
    """One or two terms of a stage, by their numbers.

    The weight of a column is the bit of ``plus``, less that of ``minus`` if there is one. The
    coefficients are those of ``plus``.
    """

    plus: int
    minus: int | None = None


def passes(stage: Stage, config: HardwareConfig) -> tuple[Pass, ...]:
    """Return the passes that run a stage; every term is in one of them."""
    if not config.signed_weights:
        return tuple(Pass(term) for term in range(stage.terms))
    coefficients = stage.spread_coefficients()
    left, found = list(range(stage.terms)), []
    while left:
        plus = left.pop(0)
        opposite = -coefficients[..., plus].astype(np.int64)
        minus = next((n for n in left if (coefficients[..., n] == opposite).all()), None)
        if minus is not None:
            left.remove(minus)
        found.append(Pass(plus, minus))
    return tuple(found)


def row_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Weights of one row in a word, for each pass (popcount: for each plane).

    A ``negate`` bit is a sign relative to that of its partner in the adder tree, ``n & (n - 1)``;
    the first one is the sign of the whole sum.
    """
    element: object = config.lanes
    if config.kind == "lut":
        groups = config.table_groups
        fields: dict[str, object] = {"codes": data.ArrayLayout(code_bits(config), groups)}
        if config.signed_weights:
            fields["negate"] = groups
        element = data.StructLayout(fields)
    elif config.signed_weights:
        element = data.StructLayout({"some": config.lanes, "negate": config.lanes})
    return data.ArrayLayout(element, config.weights)


def pass_weights(stage: Stage, config: HardwareConfig) -> NDArray[np.int8]:
    """Return the weights of each pass: int8, (passes, out, columns), of -1, 0 and +1."""
    planes = unpack(stage.planes, stage.columns)

    def bits(term: int) -> NDArray[np.int8]:
        chosen = [n for n in range(stage.k) if stage.monomials[term] >> n & 1]
        return reduce(np.bitwise_and, [planes[n] for n in chosen]).astype(np.int8)

    return np.stack([
        bits(one.plus) if one.minus is None else bits(one.plus) - bits(one.minus)
        for one in passes(stage, config)
    ])


def encode(weights: NDArray[np.int8], config: HardwareConfig) -> NDArray[np.uint8]:
    """Write weights as :func:`row_layout` has one pass of them.

    Parameters
    ----------
    weights : int8, (..., lanes)

    Returns
    -------
    uint8, (..., bits)
        Least significant bit first.
    """
    if config.kind == "lut":
        missing = -config.lanes % config.table
        padded = np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, missing)])
        grouped = padded.reshape(*weights.shape[:-1], config.table_groups, config.table)
        if not config.signed_weights:
            return grouped.reshape(*weights.shape[:-1], -1).astype(np.uint8)
        codes, signs = encode_patterns(grouped, config)
        bits = np.unpackbits(codes[..., np.newaxis], axis=-1, bitorder="little")
        bits = bits[..., : code_bits(config)].reshape(*weights.shape[:-1], -1)
        return np.concatenate([bits, _relative(signs)], axis=-1)
    if not config.signed_weights:
        return weights.astype(np.uint8)
    some, signs = (weights != 0).astype(np.uint8), (weights < 0).astype(np.uint8)
    return np.concatenate([some, _relative(signs)], axis=-1)


def _relative(signs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Signs relative to those of the partners in the adder tree: (..., n) to the same."""
    number = np.arange(1, signs.shape[-1])
    relative = signs.copy()
    relative[..., 1:] ^= signs[..., number & (number - 1)]
    return relative
