"""The reference against an independent one: Python integers, bit by bit, AND and popcount.

Real arithmetic is that of ``docs/arithmetic.md``, one float32 operation after the other.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from builders import KINDS, random_stage, scales, signs, single
from numpy.typing import NDArray

from models import reference
from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize, Transform
from models.reference import Reference, run
from models.stage import Stage

F = np.float32
Codes = list[list[int]]
"""Integers of a token, (views, columns)."""


# --- real inputs to codes ------------------------------------------------------------------------


def float32_sum(products: list[np.float32]) -> np.float32:
    total = products[0]
    for product in products[1:]:
        total = F(total + product)
    return total


def naive_experts(path: Path, x: NDArray[np.float32]) -> list[np.float32]:
    if path.router is None:
        return []
    logits = [math.fsum(float(r) * float(v) for r, v in zip(row, x, strict=True))
              for row in path.router]  # fmt: skip
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [F(power / math.fsum(powers)) for power in powers]


def naive_views(path: Path, x: NDArray[np.float32]) -> list[list[np.float32]]:
    stage = path.stages[0]
    used = range(len(x)) if stage.gather is None else stage.gather.tolist()
    if stage.column_scale is None:
        return [[x[j] for j in used]]
    table: Any = stage.column_scale
    if experts := naive_experts(path, x):
        mixed = [
            float32_sum([F(share * row[j]) for share, row in zip(experts, table, strict=True)])
            for j in range(len(used))
        ]
        table = [mixed]
    return [[F(x[j] * row[n]) for n, j in enumerate(used)] for row in table]


def clamp(value: int, bits: int, signed: bool = True) -> int:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return max(low, min(high, value))


def naive_codes(path: Path, x: NDArray[np.float32]) -> tuple[Codes, list[int], np.float32]:
    """Return the integers that meet the planes, each group's exponent, and the scale."""
    spec = path.stages[0].activation
    assert spec is not None
    views = naive_views(path, x)
    values = [value for view in views for value in view]
    columns = len(views[0])
    if spec.bits == 1:
        mean = F(math.fsum(abs(float(value)) for value in values) / len(values))
        return [[int(v > 0) for v in view] for view in views], [], mean if mean > 0 else F(1)
    high = F(clamp(1 << 20, spec.bits, spec.signed))
    size = [abs(value) if spec.signed else max(value, F(0)) for value in values]
    exponents, finer = [], [0] * columns
    if spec.scale == "static":
        scale, inverse = F(spec.value), F(F(1) / F(spec.value))
    else:
        peak = max(size) if max(size) >= 2.0**-64 else high
        scale, inverse = F(peak / high), F(high / peak)
        if spec.scale == "group":
            scale = F(scale / F(1 << spec.exponents))
            for start in range(0, columns, spec.group):
                part = range(start, min(start + spec.group, columns))
                most = max(size[v * columns + j] for v in range(len(views)) for j in part)
                steps = 0
                while steps < spec.exponents and float(most) * 2 ** (steps + 1) <= float(peak):
                    steps += 1
                exponents.append(spec.exponents - steps)
                finer[part.start : part.stop] = [steps] * len(part)
    codes = [
        [
            clamp(round(float(F(value * F(inverse * F(1 << finer[j]))))), spec.bits, spec.signed)
            for j, value in enumerate(view)
        ]
        for view in views
    ]  # Python rounds halves to even
    transform = path.stages[0].transform
    return (naive_transform(codes, transform) if transform else codes), exponents, scale


# --- integers to integers ------------------------------------------------------------------------


def naive_requantize(value: int, shift: int, bits: int) -> int:
    return clamp((value + (1 << shift) // 2) // (1 << shift), bits)


def naive_entry(spec: Transform, sample: int, j: int) -> int:
    if spec.matrix is not None:
        return int(spec.matrix[sample, j])
    if spec.kind == "repeat":
        return int(sample * spec.block // spec.samples == j)
    sign = 1 if spec.signs is None else int(spec.signs[j])
    return sign * (-1) ** (sample & j).bit_count()


def naive_transform(codes: Codes, spec: Transform) -> Codes:
    result = []
    for view in codes:
        row = []
        for start in range(0, len(view), spec.block):
            block = view[start : start + spec.block]
            for sample in range(spec.samples):
                total = sum(naive_entry(spec, sample, j) * code for j, code in enumerate(block))
                row.append(naive_requantize(total, spec.shift, spec.bits))
        result.append(row)
    return result


def pick(array: NDArray, *place: int) -> int:
    """Read an element where a dimension of 1 stands for all."""
    full = zip(place, array.shape, strict=True)
    return int(array[tuple(0 if size == 1 else at for at, size in full)])


def bits_of(codes: list[int], width: int) -> list[int]:
    """Cut codes into planes; bit j of plane i is bit i of the two's complement of code j."""
    return [sum((code >> i & 1) << j for j, code in enumerate(codes)) for i in range(width)]


def bit_serial(chosen: int, planes: list[int], signed: bool) -> int:
    """Sum the chosen codes: AND, popcount, shift; the top plane of signed codes is negative."""
    counts = [(chosen & plane).bit_count() << i for i, plane in enumerate(planes)]
    return sum(counts) - (2 * counts[-1] if signed else 0)


def naive_accumulate(
    stage: Stage, codes: Codes, exponents: list[int], width: int, signed: bool
) -> list[int]:
    weights = [[int.from_bytes(row.tobytes(), "little") for row in plane] for plane in stage.planes]
    masks = []
    for start in range(0, stage.columns, stage.group):
        masks.append(((1 << min(stage.group, stage.columns - start)) - 1) << start)
    planes = [bits_of(view, width) for view in codes]
    result = []
    for n in range(len(weights[0])):
        total = 0 if stage.bias is None else int(stage.bias[n])
        for v, view in enumerate(planes):
            for g, mask in enumerate(masks):
                part = 0
                for t, mono in enumerate(stage.monomials):
                    chosen = mask
                    for k, plane in enumerate(weights):
                        chosen &= plane[n] if mono >> k & 1 else -1
                    if stage.index is None:
                        coefficient = pick(stage.coefficients, v, n, g, t)
                    else:
                        coefficient = int(stage.coefficients[pick(stage.index, n, g), t])
                    part += coefficient * bit_serial(chosen, view, signed)
                if stage.offset is not None:
                    part += pick(stage.offset, v, n, g) * bit_serial(mask, view, signed)
                total += part << (exponents[g] if exponents else 0)
        result.append(total)
    return result


def naive_path(path: Path, codes: Codes, exponents: list[int]) -> list[int]:
    first, *rest = path.stages
    spec = first.transform or first.activation
    assert spec is not None
    signed = first.transform is not None or spec == first.activation and first.activation.signed
    total = naive_accumulate(first, codes, exponents, spec.bits, signed)
    for stage in rest:
        between = first.requantize
        assert between is not None
        codes = [
            [naive_requantize(acc * int(scale), between.shift, between.bits)
             for acc, scale in zip(total, row, strict=True)]
            for row in between.row_scale
        ]  # fmt: skip
        width = between.bits
        if stage.transform is not None:
            codes, width = naive_transform(codes, stage.transform), stage.transform.bits
        total = naive_accumulate(stage, codes, [], width, True)
    return total


# --- integers to real outputs --------------------------------------------------------------------


def naive_layernorm(y: list[np.float32]) -> list[np.float32]:
    mean = math.fsum(map(float, y)) / len(y)
    variance = math.fsum((float(v) - mean) ** 2 for v in y) / len(y)
    return [F((float(v) - mean) / math.sqrt(variance + 1e-5)) for v in y]


def naive_output(layer: BitplaneLayer, x: NDArray[np.float32]) -> list[np.float32]:
    y = [F(0)] * layer.out
    for path in layer.paths:
        codes, exponents, scale = naive_codes(path, x)
        experts = naive_experts(path, x)
        for n, acc in enumerate(naive_path(path, codes, exponents)):
            if experts:
                row = float32_sum([
                    F(w * s) for w, s in zip(experts, path.out_scale[:, n], strict=True)
                ])
            else:
                row = F(pick(path.out_scale.view(np.int32), n))  # not used: see below
                row = path.out_scale[0 if path.out_scale.size == 1 else n]
            y[n] = F(y[n] + F(F(F(acc) * row) * scale))
    if layer.bias is not None:
        y = [F(a + b) for a, b in zip(y, layer.bias, strict=True)]
    return naive_layernorm(y) if layer.post == "layernorm" else y
