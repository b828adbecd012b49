"""Exact integer arithmetic on tensors: products, and the one rounding that circuits do."""

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checks import require
from models.integers import MOST_COLUMNS, code_range

FLOAT_COLUMNS = 1024
"""Columns whose products of int8 sum to at most 2**24, below which float32 has all integers."""


def tensor(array: NDArray, device: torch.device | None = None) -> Tensor:
    """Copy an array, even a read-only one, to a tensor of the same type, on the CPU if not said."""
    return torch.from_numpy(np.array(array, order="C")).to(device or "cpu")


def requantize(value: Tensor, shift: int, bits: int) -> Tensor:
    """Divide by ``2**shift``, halves towards plus infinity, then saturate to signed ``bits``.

    Parameters
    ----------
    value : int64, any shape; int32 will do where ``shift`` is 0
        For a chain, the accumulator already multiplied by its row scale.
    shift : int, 0 or more
    """
    if shift:
        value = (value + (1 << (shift - 1))) >> shift
    return value.clamp(*code_range(bits, signed=True))


def digits(value: Tensor) -> tuple[Tensor, ...]:
    """Split integers into balanced int8 digits: ``value = sum(digit[i] * 256**i)``."""
    if value.dtype == torch.int8:
        return (value,)
    parts: list[Tensor] = []
    rest = value
    while not parts or bool(rest.any()):
        low = rest.to(torch.int8)  # wraps to -128 .. 127
        parts.append(low)
        rest = (rest >> 8) + (low < 0)  # (rest - low) / 256, without overflow
    return tuple(parts)


def digits_product(x: tuple[Tensor, ...], w: tuple[Tensor, ...], narrow: bool = False) -> Tensor:
    """Multiply integer matrices, given by their :func:`digits`, exactly.

    Each pair of digits is one int8 product with int32 sums, which cannot overflow with at most
    ``MOST_COLUMNS``; so the result does not depend on the order of summation.

    Parameters
    ----------
    x : digits of a (tokens, columns) matrix
    w : digits of a (rows, columns) matrix
    narrow : bool
        Sum in int32, by the caller's word that it holds the products with ``w``, and with ``w``
        less any of its lower digits. A pass over int64 sums takes a processor as long as a product.

    Returns
    -------
    int64, or int32 if narrow, (tokens, rows)
    """
    columns = x[0].shape[1]
    require(columns <= MOST_COLUMNS, "columns", f"be at most {MOST_COLUMNS}", columns)
    total = None
    for place in reversed(range(len(x) + len(w) - 1)):
        step = 256
        for i, a in enumerate(x):
            if 0 <= place - i < len(w):
                product = int8_product(a, w[place - i])
                if total is None:
                    total = product if narrow else product.long()
                else:
                    total = torch.add(product, total, alpha=step)
                step = 1
    if total is None:
        raise ValueError("matrices must have digits, got none")
    return total


def int8_product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply int8 matrices ``a`` (n, k) and ``b`` (m, k) to an int32 (n, m)."""
    if a.shape[1] == 1:  # torch 2.13's product of single columns is wrong
        return a.to(torch.int32) * b.to(torch.int32).t()
    if a.device.type == "cpu" and int8_units_serve():
        return torch.ops.aten._int_mm(a, b.t())
    return float_product(a, b)


def float_product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply int8 matrices as :func:`int8_product`, in floats that hold all sums.

    On a processor float32, which holds those of ``FLOAT_COLUMNS``, takes half as long as float64;
    neither type is ever wrong by an order of summation.
    """
    if a.device.type != "cpu":
        return (a.double() @ b.double().t()).to(torch.int32)
    first, *rest = (
        (x.float() @ y.float().t()).to(torch.int32)
        for x, y in zip(a.split(FLOAT_COLUMNS, 1), b.split(FLOAT_COLUMNS, 1), strict=True)
    )
    for part in rest:
        first += part
    return first


@cache
def int8_units_serve() -> bool:
    """Whether this processor's int8 products are exact, and faster than those of floats.

    Without int8 dot-product instructions they are one or the other: pairs of products saturate to
    16 bits, or PyTorch takes many times as long as for floats (docs/results.md).
    """
    return int8_units_are_exact() and _seconds(torch.ops.aten._int_mm) < _seconds(
        lambda a, b: float_product(a, b.t())
    )


def _seconds(product: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Time a product of matrices, the least of three times."""
    a, b = (torch.ones(n, 512, dtype=torch.int8) for n in (64, 256))
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        product(a, b.t())
        times.append(time.perf_counter() - begin)
    return min(times)


def int8_units_are_exact() -> bool:
    """Whether this processor's int8 products of known numbers are right."""
    low = torch.full((17, 64), -128, dtype=torch.int8)
    high = torch.full((8, 64), 127, dtype=torch.int8)
    return all(
        bool((torch.ops.aten._int_mm(a, b.t()) == 64 * int(a[0, 0]) * int(b[0, 0])).all())
        for a in (low, high)
        for b in (low, high)
    )
