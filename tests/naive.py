"""The arithmetic of bitplane layers once more, from ``docs/arithmetic.md`` alone.

One token at a time, in Python integers and bit by bit: AND and popcount, as circuits do. Real
numbers are NumPy scalars, one float32 operation after the other.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer, Path
from models.codes import Transform
from models.stage import Stage

F = np.float32
Codes = list[list[int]]
"""Integers of a token, (views, columns)."""


def clamp(value: int, bits: int, signed: bool = True) -> int:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return max(low, min(high, value))


def requantize(value: int, shift: int, bits: int) -> int:
    """Floor division after adding a half: halves go up."""
    return clamp((value + (1 << shift) // 2) // (1 << shift), bits)


def pick(array: NDArray, *place: int) -> int:
    """Read an element where a dimension of 1 stands for all."""
    full = zip(place, array.shape, strict=True)
    return int(array[tuple(0 if size == 1 else at for at, size in full)])


# From real inputs to codes


def experts(path: Path, x: NDArray[np.float32]) -> list[np.float32]:
    if path.router is None:
        return []
    logits = [math.fsum((row.astype(float) * x.astype(float)).tolist()) for row in path.router]
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [F(power / math.fsum(powers)) for power in powers]


def mixed(shares: list[np.float32], values: NDArray[np.floating]) -> np.float32:
    total = F(shares[0] * values[0])
    for share, value in zip(shares[1:], values[1:], strict=True):
        total = F(total + F(share * value))
    return total


def views(path: Path, x: NDArray[np.float32]) -> list[list[np.float32]]:
    stage = path.stages[0]
    used = list(range(len(x))) if stage.gather is None else stage.gather.tolist()
    if stage.column_scale is None:
        return [[x[j] for j in used]]
    if shares := experts(path, x):
        return [[F(x[j] * mixed(shares, stage.column_scale[:, n])) for n, j in enumerate(used)]]
    return [[F(x[j] * row[n]) for n, j in enumerate(used)] for row in stage.column_scale]


def codes(path: Path, x: NDArray[np.float32]) -> tuple[Codes, list[int], np.float32]:
    """Return the integers that meet the planes, each group's exponent, and the scale."""
    stage = path.stages[0]
    spec, inputs = stage.activation, views(path, x)
    assert spec is not None
    values = [value for view in inputs for value in view]
    if spec.bits == 1:
        mean = F(math.fsum(abs(float(value)) for value in values) / len(values))
        return [[int(v > 0) for v in view] for view in inputs], [], mean if mean > 0 else F(1)
    high = F(clamp(1 << 20, spec.bits, spec.signed))
    sizes = [[abs(v) if spec.signed else max(v, F(0)) for v in view] for view in inputs]
    largest = max(max(view) for view in sizes)
    peak = largest if largest >= 2.0**-64 else high
    scale, inverse = F(peak / high), F(high / peak)
    if spec.scale == "static":
        scale, inverse = F(spec.value), F(F(1) / F(spec.value))
    exponents, finer = [], [0] * len(inputs[0])
    if spec.scale == "group":
        scale = F(scale / F(1 << spec.exponents))
        for start in range(0, len(finer), spec.group):
            most = max(float(max(view[start : start + spec.group])) for view in sizes)
            steps = sum(most * 2**step <= float(peak) for step in range(1, spec.exponents + 1))
            exponents.append(spec.exponents - steps)
            for j in range(start, min(start + spec.group, len(finer))):
                finer[j] = steps
    result = [
        [
            clamp(half_even(F(v * F(inverse * F(1 << finer[j])))), spec.bits, spec.signed)
            for j, v in enumerate(view)
        ]
        for view in inputs
    ]
    return transformed(result, stage.transform), exponents, scale


def half_even(value: np.float32) -> int:
    return round(float(value))


# From integers to integers


def entry(spec: Transform, sample: int, j: int) -> int:
    """Return an element of the matrix that a transform multiplies by."""
    if spec.matrix is not None:
        return int(spec.matrix[sample, j])
    if spec.kind == "repeat":
        return int(sample * spec.block // spec.samples == j)
    sign = 1 if spec.signs is None else int(spec.signs[j])
    return sign * (-1) ** (sample & j).bit_count()


def transformed(values: Codes, spec: Transform | None) -> Codes:
    if spec is None:
        return values
    result: Codes = [[] for _ in values]
    for row, view in zip(result, values, strict=True):
        for start in range(0, len(view), spec.block):
            block = view[start : start + spec.block]
            for sample in range(spec.samples):
                total = sum(entry(spec, sample, j) * code for j, code in enumerate(block))
                row.append(requantize(total, spec.shift, spec.bits))
    return result


def bit_planes(values: list[int], width: int) -> list[int]:
    """Return planes: bit j of plane i is bit i of the two's complement of value j."""
    return [sum((value >> i & 1) << j for j, value in enumerate(values)) for i in range(width)]


def bit_serial(chosen: int, planes: list[int], signed: bool) -> int:
    """Sum the chosen codes: AND, popcount, shift; the top plane of signed codes is negative."""
    counts = [(chosen & plane).bit_count() << i for i, plane in enumerate(planes)]
    return sum(counts) - (2 * counts[-1] if signed else 0)


def term_bits(stage: Stage, row: int) -> list[int]:
    """Return each term's bits in a row: the AND of its planes."""
    planes = [int.from_bytes(plane[row].tobytes(), "little") for plane in stage.planes]
    result = []
    for mono in stage.monomials:
        chosen = -1
        for k, plane in enumerate(planes):
            chosen &= plane if mono >> k & 1 else -1
        result.append(chosen)
    return result


def group_integers(stage: Stage, terms: int, v: int, n: int, g: int) -> tuple[list[int], int]:
    """Return the coefficient of each term in a group, and its offset."""
    if stage.index is None:
        many = range(stage.coefficients.shape[-1])
        stored = [pick(stage.coefficients, v, n, g, i) for i in many]
    else:
        stored = [int(value) for value in stage.coefficients[pick(stage.index, n, g)]]
    offset = 0 if stage.offset is None else pick(stage.offset, v, n, g)
    if stage.mix is None:
        return stored, offset
    sums = [sum(s * row[t] for s, row in zip(stored, stage.mix, strict=True)) for t in range(terms)]
    return sums, offset + sum(s * row[terms] for s, row in zip(stored, stage.mix, strict=True))


def accumulate(
    stage: Stage, values: Codes, exponents: list[int], width: int, signed: bool
) -> list[int]:
    """Return ``bias + sum of 2**e * (sum of coefficient * D + offset * S)`` of each row."""
    starts = range(0, stage.columns, stage.group)
    groups = [((1 << min(stage.group, stage.columns - at)) - 1) << at for at in starts]
    planes = [bit_planes(view, width) for view in values]
    result = []
    for n in range(stage.planes.shape[1]):
        terms = term_bits(stage, n)
        total = 0 if stage.bias is None else int(stage.bias[n])
        for v, view in enumerate(planes):
            for g, group in enumerate(groups):
                factors, offset = group_integers(stage, len(terms), v, n, g)
                part = offset * bit_serial(group, view, signed)
                for factor, term in zip(factors, terms, strict=True):
                    part += factor * bit_serial(term & group, view, signed)
                total += part << (exponents[g] if exponents else 0)
        result.append(total)
    return result


def accumulators(path: Path, values: Codes, exponents: list[int]) -> list[int]:
    """Run a path on the codes of its first stage."""
    first, *rest = path.stages
    spec = first.activation
    assert spec is not None
    width, signed = spec.bits, spec.signed
    if first.transform is not None:
        width, signed = first.transform.bits, True
    total = accumulate(first, values, exponents, width, signed)
    for stage in rest:
        assert first.requantize is not None
        shift, width = first.requantize.shift, first.requantize.bits
        between = [
            [requantize(a * s, shift, width) for a, s in zip(total, row.tolist(), strict=True)]
            for row in first.requantize.row_scale
        ]
        width = width if stage.transform is None else stage.transform.bits
        total = accumulate(stage, transformed(between, stage.transform), [], width, True)
    return total


# From integers to real outputs


def layernorm(y: list[np.float32]) -> list[np.float32]:
    mean = math.fsum(map(float, y)) / len(y)
    variance = math.fsum((float(v) - mean) ** 2 for v in y) / len(y)
    return [F((float(v) - mean) / math.sqrt(variance + 1e-5)) for v in y]


def changed(layer: BitplaneLayer, x: NDArray[np.float32]) -> NDArray[np.float32]:
    change = layer.equivalence
    if change is None:
        return x
    values = list(x)
    if change.shift is not None:
        values = [F(a - b) for a, b in zip(values, change.shift, strict=True)]
    if change.scale is not None:
        values = [F(a * b) for a, b in zip(values, change.scale, strict=True)]
    distance = 1
    while distance < change.rotation:
        for j in range(len(values)):
            if not j & distance:
                low, high = values[j], values[j + distance]
                values[j], values[j + distance] = F(low + high), F(low - high)
        distance *= 2
    if change.rotation:
        values = [F(value * F(change.rotation**-0.5)) for value in values]
    return np.array(values, np.float32)


def output(layer: BitplaneLayer, x: NDArray[np.float32]) -> list[np.float32]:
    x = changed(layer, x)
    y = [F(0)] * len(layer.paths[0].stages[-1].planes[0])
    for path in layer.paths:
        values, exponents, scale = codes(path, x)
        shares = experts(path, x)
        for n, acc in enumerate(accumulators(path, values, exponents)):
            if shares:
                row = mixed(shares, path.out_scale[:, n])
            else:
                row = path.out_scale[0 if len(path.out_scale) == 1 else n]
            y[n] = F(y[n] + F(F(F(acc) * row) * scale))
    if layer.bias is not None:
        y = [F(a + b) for a, b in zip(y, layer.bias, strict=True)]
    return layernorm(y) if layer.post == "layernorm" else y
