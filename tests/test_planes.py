"""Packed planes against a naive loop."""

import numpy as np
import pytest

from models.planes import pack, row_bytes, unpack

SHAPES = [
    (0,), (1,), (7,), (8,), (9,), (31,), (32,), (33,), (64,), (100,),
    (0, 5), (3, 0), (2, 3, 0), (1, 1), (3, 31), (2, 3, 32), (4, 2, 65), (1, 2, 3, 129),
]  # fmt: skip


def random_bits(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape) < 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_unpack_undoes_pack(shape: tuple[int, ...]) -> None:
    bits = random_bits(shape)
    packed = pack(bits)
    assert packed.dtype == np.uint8
    assert packed.shape == (*shape[:-1], row_bytes(shape[-1]))
    again = unpack(packed, shape[-1])
    assert again.dtype == np.uint8
    assert np.array_equal(again, bits)


@pytest.mark.parametrize("shape", SHAPES)
def test_order_and_padding_against_a_loop(shape: tuple[int, ...]) -> None:
    bits = random_bits(shape)
    want = np.zeros((*shape[:-1], row_bytes(shape[-1])), np.uint8)
    for place in np.ndindex(*shape):
        *row, j = place
        want[(*row, j // 8)] |= int(bits[place]) << j % 8
    assert np.array_equal(pack(bits), want)


@pytest.mark.parametrize(
    ("columns", "want"), [(0, 0), (1, 4), (31, 4), (32, 4), (33, 8), (64, 8), (65, 12)]
)
def test_rows_are_whole_words(columns: int, want: int) -> None:
    assert row_bytes(columns) == want


def test_order_by_hand() -> None:
    columns = np.zeros((2, 40), np.uint8)
    columns[0, [0, 9, 39]] = 1
    columns[1] = 1
    assert pack(columns).tolist() == [[1, 2, 0, 0, 128, 0, 0, 0], [255] * 5 + [0] * 3]
    assert pack(columns).view("<u4").tolist() == [[0x201, 0x80], [0xFFFFFFFF, 0xFF]]


def test_bits_may_be_any_integers_and_need_not_be_contiguous() -> None:
    bits = random_bits((6, 50))
    for other in (bits.astype(np.int64), bits.astype(np.uint8), np.asfortranarray(bits)):
        assert np.array_equal(pack(other), pack(bits))
    assert np.array_equal(pack(bits[::2, ::-3]), pack(np.ascontiguousarray(bits[::2, ::-3])))
