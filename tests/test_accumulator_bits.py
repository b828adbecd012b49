"""The width of accumulators: no codes exceed it, and some reach it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import KINDS, random_stage

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.planes import pack
from models.reference import ReadyStage, Reference


@pytest.mark.parametrize("kind", KINDS)
def test_no_codes_exceed_the_bound(kind: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        for path in KINDS[kind](rng, 4, 21).paths:
            for part, magnitude in zip(path.stages, path.code_magnitudes, strict=True):
                exponents = part.activation.exponents if part.activation else 0
                most = magnitude << exponents
                bits = part.accumulator_bits(magnitude)
                shape = (300, part.views, part.columns)
                codes = torch.from_numpy(rng.choice([-most, most, 0], shape).astype(np.int32))
                found = int(ReadyStage(part).accumulate(codes).abs().max())
                assert found <= (1 << (bits - 1)) - 1, f"{kind}, seed {seed}"


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_bound_is_reached(bits: int, signed: bool) -> None:
    """With weights of one sign, equal codes give the bound itself."""
    rng = np.random.default_rng(bits)
    for views, columns, group in ((1, 1, 1), (1, 10, 4), (2, 9, 9), (3, 7, 2)):
        part = random_stage(
            rng, 3, columns, 2, group, (1, 300), views=views,
            planes=pack(np.ones((2, 3, columns), np.bool_)),
            activation=Activation(bits, signed), bias=np.array([-1, 0, 5]) * (1 if signed else -1),
        )  # fmt: skip
        assert part.activation is not None
        most = part.activation.magnitude
        codes = torch.full((1, views, columns), -most if signed else most, dtype=torch.int32)
        found = ReadyStage(replace(part, bias=None)).accumulate(codes).abs().max()
        assert part.accumulator_bits(most) == int(found + 5).bit_length() + 1


def test_bound_by_hand() -> None:
    bounds = (-32768, -32767)
    one = random_stage(np.random.default_rng(0), 1, 10, 2, 4, bounds)
    # 10 columns, 3 int16 factors of 2**15, codes of 2**7
    assert one.accumulator_bits(128) == (10 * 3 * (1 << 22)).bit_length() + 1 == 28
    grouped = replace(one, activation=Activation(scale="group", group=4, exponents=15))
    assert grouped.accumulator_bits(128) == 43
    full = replace(one, activation=Activation(16, False, "group", group=4, exponents=15))
    with pytest.raises(ValueError, match=r"^accumulator must fit 48 bits, got 52 bits$"):
        Path((full,), np.ones(1, np.float32))


def test_bound_of_a_mix() -> None:
    one = random_stage(
        np.random.default_rng(0), 1, 10, 2, 4, offset=None,
        coefficients=np.full((1, 1, 1, 1), -128, np.int8), mix=((127, 1, -128),),
    )  # fmt: skip
    assert one.accumulator_bits(128) == (10 * 128 * (127 + 1 + 128) * 128).bit_length() + 1


def test_widest_accumulator_is_exact() -> None:
    bias = np.array([(1 << 47) - 1 - 128 * 3, -((1 << 47) - 1 - 128 * 3)])
    ones = pack(np.ones((1, 2, 3), np.bool_))
    wide = random_stage(
        np.random.default_rng(0), 2, 3, 1, planes=ones, offset=None,
        coefficients=np.ones((1, 1, 1, 1), np.int16), bias=bias,
        activation=Activation(scale="static"),
    )  # fmt: skip
    assert wide.accumulator_bits(128) == 48
    reference = Reference(BitplaneLayer("x", 3, (Path((wide,), np.ones(1, np.float32)),)))
    codes = reference.codes(0, torch.full((3,), -200.0))
    assert reference.accumulate(0, codes).tolist() == [[(1 << 47) - 1 - 768, -(1 << 47) + 1]]
