"""Biases as groups: the same accumulators as the reference gives with the bias."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import random_stage

from hwgen.folded import folded, folded_codes
from models.reference import ReadyStage
from models.stage import Stage


def accumulators(stage: Stage, codes: np.ndarray) -> np.ndarray:
    return ReadyStage(stage).accumulate(torch.from_numpy(codes.astype(np.int32))).numpy()


@pytest.mark.parametrize("offset_bits", [5, 16])
@pytest.mark.parametrize("most", [0, 1, 15, 16, 5000, 1 << 20])
@pytest.mark.parametrize(("columns", "group"), [(1, 1), (7, 3), (8, 8), (12, 5)])
def test_same_accumulators(columns: int, group: int, most: int, offset_bits: int) -> None:
    if most // group > 300 << offset_bits:
        pytest.skip("would need thousands of groups")
    rng = np.random.default_rng(columns + most)
    bias = rng.integers(-most, most + 1, 6)
    bias[:2] = -most, most
    plain = random_stage(rng, 6, columns, group=group, bounds=(-9, 9), views=2)
    for stage in (plain, replace(plain, offset=None)):
        stage = replace(stage, bias=bias)
        codes = rng.integers(-128, 128, (3, 2, columns))
        one = folded(stage, offset_bits)
        assert one.bias is None
        got = accumulators(one, folded_codes(codes, stage, offset_bits))
        assert (got == accumulators(stage, codes)).all(), f"seed {columns + most}"
        top = 1 << (offset_bits - 1)
        added = one.spread_offset()[..., stage.groups :]
        assert added.min() >= -top
        assert added.max() < top


def test_tables_get_an_entry_of_zeros() -> None:
    rng = np.random.default_rng(1)
    stage = random_stage(rng, 4, 8, group=4, bounds=(-9, 9))
    table = rng.integers(-9, 9, (3, stage.terms)).astype(np.int16)
    index = rng.integers(0, 3, (4, 2)).astype(np.uint8)
    bias = rng.integers(-99, 99, 4)
    stage = replace(stage, coefficients=table, index=index, bias=bias, offset=None)
    codes = rng.integers(-128, 128, (2, 1, 8))
    got = accumulators(folded(stage, 16), folded_codes(codes, stage, 16))
    assert (got == accumulators(stage, codes)).all()


def test_groups_too_large_to_count() -> None:
    rng = np.random.default_rng(1)
    stage = replace(random_stage(rng, 1, 9, group=9, bounds=(-1, 1)), bias=np.ones(1, np.int64))
    with pytest.raises(ValueError, match=r"^group of the layer must be at most 7 beside an int"):
        folded(stage, 4)
