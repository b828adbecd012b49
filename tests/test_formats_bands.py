"""BiLLM and ARB-LLM against their definitions, one row and block at a time."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from matrices import layer_of, planes_of, stage_of, weights
from numpy.typing import NDArray

from models.dense import dense, relative_error
from models.formats.bands import choose_columns
from models.formats.blocks import Blocks
from models.threads import one_thread

NEAR = 2e-3
"""Weights of magnitudes below 5 whose int16 coefficients have units below 5/32767 each."""


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def salient_columns(weight: NDArray, block: int, salient: int) -> list[tuple[list[int], list[int]]]:
    """Salient and plain columns of each block."""
    found = []
    for start in range(0, weight.shape[1], block):
        columns = list(range(start, min(start + block, weight.shape[1])))
        order = sorted(columns, key=lambda j: -float((weight[:, j].astype(float) ** 2).sum()))
        count = min(salient, len(columns) - 1)
        found.append((sorted(order[:count]), sorted(order[count:])))
    return found


def signed(part: NDArray) -> NDArray:
    """Mean and signs of a row's values, and their scale."""
    if not part.size:
        return part
    mean = part.mean()
    return mean + np.where(part >= mean, 1, -1) * np.abs(part - mean).mean()


def banded(values: NDArray, threshold: float) -> NDArray:
    """Signs in two bands, each row for itself."""
    result = np.empty_like(values)
    for n, row in enumerate(values):
        large = np.abs(row) > threshold
        result[n, large], result[n, ~large] = signed(row[large]), signed(row[~large])
    return result


def billm(weight: NDArray, block: int, salient: int) -> NDArray[np.float64]:
    """Take the published steps, by magnitude."""
    wide = weight.astype(np.float64)
    result = np.empty_like(wide)
    for special, plain in salient_columns(weight, block, salient):
        values = wide[:, plain]
        sizes = np.sort(np.abs(values).ravel())
        tried = [sizes[round(s * (sizes.size - 1))] for s in np.linspace(0.1, 0.9, 81).tolist()]
        tries = [banded(values, float(threshold)) for threshold in tried]
        result[:, plain] = min(tries, key=lambda got, want=values: float(((got - want) ** 2).sum()))
        for n in range(len(wide)):
            first = signed(wide[n, special])
            result[n, special] = first + signed(wide[n, special] - first)
    return result


def chosen(weight: NDArray, block: int, salient: int) -> tuple[Blocks, Blocks | None]:
    """Choose columns by the squares of their weights."""
    wide = torch.from_numpy(weight).double()
    return choose_columns(wide, wide.square(), block, salient)


@pytest.mark.parametrize(
    ("rows", "columns", "block", "salient"),
    [(6, 32, 16, 3), (6, 37, 16, 3), (1, 33, 16, 2), (4, 33, 8, 5), (3, 12, 12, 11), (5, 9, 2, 1)],
)
def test_billm_is_banded_signs(rows: int, columns: int, block: int, salient: int) -> None:
    weight = weights(rows, columns) + np.float32(0.2)
    got = dense(layer_of(f"billm:block={block},salient={salient}", weight))
    want = billm(weight, block, salient)
    lost, least = (float(((part - weight) ** 2).sum()) for part in (got, want))
    assert lost == pytest.approx(least, rel=1e-3, abs=1e-6)  # thresholds may be as good
    assert (np.abs(got - want) < NEAR).mean() > 0.95


def test_every_column_is_gathered_once() -> None:
    layer = layer_of("billm:block=16,salient=3", weights(6, 37))
    plain, salient = (stage_of(layer, path) for path in (0, 1))
    assert plain.gather is not None
    assert salient.gather is not None
    assert sorted([*plain.gather, *salient.gather]) == list(range(37))
    assert (plain.group, salient.group) == (13, 3)
    assert (plain.columns, salient.columns) == (28, 9)
    assert plain.monomials == (1, 2, 3)
    assert salient.monomials == (1, 2)


def test_number_of_salient_columns_is_the_best_tried() -> None:
    rng = np.random.default_rng(8)
    spread = np.where(np.arange(64) % 16 < 2, 9.0, 1.0)  # 2 of 16 columns stand out
    weight = (rng.standard_normal((40, 64)) * spread).astype(np.float32)
    plain, salient = chosen(weight, 16, 0)
    assert salient is not None
    assert salient.group == 2
    assert plain.group == 14
    assert (salient.columns % 16 < 2).all()


def test_last_block_of_one_column_is_plain() -> None:
    plain, salient = chosen(weights(3, 17), 8, 2)
    assert salient is not None
    assert salient.columns.max() < 16
    assert plain.columns[-1] == 16
    assert chosen(np.ones((2, 1), np.float32), 1, 0)[1] is None


def refined(part: NDArray) -> NDArray:
    """Refine mean, scale and signs of a row's values as ARB-LLM does, 15 times."""
    if not part.size:
        return part
    mean = part.mean()
    scale, signs = np.abs(part - mean).mean(), np.where(part >= mean, 1.0, -1.0)
    for _ in range(15):
        mean += (part - mean - scale * signs).mean()
        scale = (signs * (part - mean)).mean()
        signs = np.where(part >= mean, 1.0, -1.0)
    return mean + scale * signs


def test_arb_refines_the_bands_of_billm() -> None:
    weight = np.random.default_rng(3).gamma(2, 1, (8, 64)).astype(np.float32)
    options = "block=32,salient=4"
    before, after = (layer_of(f"{name}:{options}", weight) for name in ("billm", "arb"))
    assert np.array_equal(planes_of(before)[1], planes_of(after)[1])
    got, large = dense(after), planes_of(after)[1].astype(bool)
    gather = stage_of(after).gather
    assert gather is not None
    for n in range(8):
        for block in range(2):
            part = slice(28 * block, 28 * block + 28)
            for member in (large[n, part], ~large[n, part]):
                columns = gather[part][member]
                want = refined(weight[n, columns].astype(np.float64))
                assert np.abs(got[n, columns] - want).max(initial=0) < NEAR


@pytest.mark.parametrize("seed", range(5))
def test_arb_never_loses_more_than_billm(seed: int) -> None:
    weight = np.random.default_rng(seed).standard_t(3, (16, 64)).astype(np.float32)
    options = "block=32,salient=4"
    before, after = (
        relative_error(weight, layer_of(f"{name}:{options}", weight)) for name in ("billm", "arb")
    )
    assert after <= before * 1.0001


def test_salient_weights_take_the_nearest_of_four_levels() -> None:
    weight = weights(6, 64)
    layer = layer_of("arb:block=32,salient=8", weight)
    stage, unit, got = stage_of(layer, 1), layer.paths[1].out_scale, dense(layer)
    assert stage.gather is not None
    for n in range(6):
        for block in range(2):
            columns = stage.gather[8 * block : 8 * block + 8]
            first, second = stage.spread_coefficients()[0, n, block].tolist()
            low = stage.spread_offset()[0, n, block]
            levels = float(unit[n]) * (low + np.array([0, first, second, first + second]))
            far = np.abs(weight[n, columns][:, None] - levels).min(1)
            assert np.allclose(np.abs(weight[n, columns] - got[n, columns]), far, atol=NEAR)


def test_scales_of_rows_and_columns_are_found() -> None:
    rng = np.random.default_rng(2)
    columns, rows = rng.uniform(0.2, 2, 24), rng.uniform(0.5, 1, (9, 1))
    columns[[3, 20]] *= 20  # salient
    weight = columns * rows * rng.choice([-1, 1], (9, 24))
    layer = layer_of("arb:block=12,salient=1,scales=both", weight.astype(np.float32))
    assert relative_error(weight, layer) < 1e-4  # 15 rounds
    assert stage_of(layer).column_scale is not None
    gather = stage_of(layer, 1).gather
    assert gather is not None
    assert gather.tolist() == [3, 20]


def test_columns_with_their_own_size_suit_column_scales() -> None:
    rng = np.random.default_rng(5)
    size = np.exp(rng.standard_normal(128) / 2)
    weight = (rng.standard_normal((64, 128)) * size).astype(np.float32)
    row, both = (
        relative_error(weight, layer_of(f"arb:salient=32,scales={scales}", weight))
        for scales in ("row", "both")
    )
    assert both < 0.95 * row


def test_magnitudes_are_least_squares_of_their_scales() -> None:
    weight = weights(5, 40)
    layer = layer_of("arb:block=20,salient=2,scales=both", weight)
    for path in range(2):
        stage, unit = stage_of(layer, path), layer.paths[path].out_scale
        signs = 2 * planes_of(layer, path) - 1
        assert stage.gather is not None
        assert stage.column_scale is not None
        for n in range(5):
            for block in range(2):
                part = slice(block * stage.group, (block + 1) * stage.group)
                basis = (signs[:, n, part] * stage.column_scale[0, part]).T
                want = np.linalg.lstsq(basis, weight[n, stage.gather[part]], rcond=None)[0]
                got = stage.coefficients[0, n, block] * unit[n]
                assert np.abs(got - want).max() < NEAR
