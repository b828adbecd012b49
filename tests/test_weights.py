"""Weights of addsub and lut: passes hold every term, and a row can be read back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.patterns import code_bits, entry_range, patterns
from hwgen.weights import encode, pass_weights, passes, row_layout
from models.planes import unpack
from sim.cases import random_job

SIGNED = HardwareConfig(kind="addsub", k=4, pe=3, lanes=5, columns=20)


def decode(bits: NDArray[np.uint8], config: HardwareConfig) -> NDArray[np.int64]:
    """Read a row of one pass: signs are those of the partners in the tree, turned or not."""
    if config.kind == "lut":
        width = code_bits(config)
        codes = bits[: width * config.table_groups].reshape(-1, width) @ (1 << np.arange(width))
        groups = np.array(patterns(config))[codes]
        rest = bits[width * config.table_groups :]
    else:
        groups = bits[: config.lanes, np.newaxis].astype(np.int64)
        rest = bits[config.lanes :]
    if config.signed_weights:
        signs = np.zeros(len(groups), np.int64)
        for number in range(len(groups)):
            signs[number] = rest[number] ^ (signs[number & (number - 1)] if number else 0)
        groups = np.where(signs[:, np.newaxis] == 1, -groups, groups)
    return groups.reshape(-1)[: config.lanes]


@settings(deadline=None)
@given(
    st.sampled_from(["addsub", "lut"]),
    st.booleans(),
    st.integers(2, 4),
    st.lists(st.integers(-1, 1), min_size=1, max_size=40),
)
def test_rows_can_be_read_back(kind: str, ternary: bool, table: int, row: list[int]) -> None:
    config = HardwareConfig(kind=kind, ternary=ternary, table=table, lanes=len(row))
    weights = np.array(row if ternary else np.abs(row), np.int8)
    bits = encode(weights, config)
    assert len(bits) * config.weights == row_layout(config).size
    assert decode(bits, config).tolist() == weights.tolist()


@pytest.mark.parametrize("table", [2, 3, 4])
@pytest.mark.parametrize("ternary", [False, True])
def test_patterns_are_all_there_once(ternary: bool, table: int) -> None:
    config = HardwareConfig(kind="lut", ternary=ternary, table=table, act_bits=3)
    found = patterns(config)
    turned = {tuple(-weight for weight in weights) for weights in found} if ternary else set()
    assert found[0] == (0,) * table
    assert len({*found, *turned}) == (3 if ternary else 2) ** table
    assert len(found) == ((3**table + 1) // 2 if ternary else 2**table)
    low, high = config.digit_range
    every = [(low if weight > 0 else high) * weight for weights in found for weight in weights]
    sums = np.array(every).reshape(-1, table).sum(1)
    assert entry_range(config)[0] == sums.min()


@pytest.mark.parametrize("seed", range(20))
def test_passes_give_the_sums_of_the_terms(seed: int) -> None:
    """Coefficients times bits over all terms, and over all passes, are the same matrix."""
    stage = random_job(np.random.default_rng(seed), SIGNED).stage
    found = passes(stage, SIGNED)
    used = [term for one in found for term in (one.plus, one.minus) if term is not None]
    assert sorted(used) == list(range(stage.terms))
    assert len(found) <= SIGNED.most_terms
    spread = stage.spread_coefficients()[0].repeat(stage.group, axis=1)[:, : stage.columns]
    planes = unpack(stage.planes, stage.columns)
    bits = [
        planes[[n for n in range(stage.k) if monomial >> n & 1]].all(0)
        for monomial in stage.monomials
    ]
    by_terms = sum(spread[..., t].astype(int) * bits[t] for t in range(stage.terms))
    weights = pass_weights(stage, SIGNED)
    by_passes = sum(spread[..., one.plus].astype(int) * weights[n] for n, one in enumerate(found))
    assert np.array_equal(by_terms, by_passes)


def test_only_opposite_terms_share_a_pass() -> None:
    rng = np.random.default_rng(5)
    stage = next(
        job.stage
        for job in (random_job(rng, SIGNED, out=2, columns=6, group=3) for _ in range(50))
        if len(passes(job.stage, SIGNED)) < job.stage.terms
    )
    plus, minus = next((one.plus, one.minus) for one in passes(stage, SIGNED) if one.minus)
    broken = stage.coefficients.copy()
    broken[0, 1, 1, minus] ^= 1
    changed: dict[str, Any] = {"coefficients": broken}
    assert plus not in [
        one.plus for one in passes(replace(stage, **changed), SIGNED) if one.minus == minus
    ]
