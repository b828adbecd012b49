"""Exact products and the one rounding, against int64 products and loops in Python integers."""

import time

import numpy as np
import pytest
import torch
from torch import Tensor

from models import exact
from models.exact import digits, digits_product, int8_product, requantize, tensor
from models.integers import MOST_COLUMNS, code_magnitude, code_range, signed_bits

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33]


@pytest.fixture(params=["int8 units", "floats"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with this processor's int8 products, where they are right, and with floats."""
    serve = request.param == "int8 units" and exact.int8_units_are_exact()
    monkeypatch.setattr(exact, "int8_units_serve", lambda: serve)
    return request.param


def integers(seed: int, bits: int, *shape: int) -> Tensor:
    low, high = code_range(bits, signed=True)
    kind = torch.int8 if bits == 8 else torch.int32 if bits <= 32 else torch.int64
    random = torch.Generator().manual_seed(seed)
    values = torch.randint(low, high, shape, generator=random, dtype=torch.int64)
    edges = torch.tensor([low, high, 0, -1, 1])
    where = torch.randint(0, 10, shape, generator=random)
    return torch.where(where < 5, edges[where.clamp(max=4)], values).to(kind)


def product(x: Tensor, w: Tensor) -> Tensor:
    return digits_product(digits(x), digits(w))


@pytest.mark.parametrize("columns", SIZES)
def test_small_products(way: str, columns: int) -> None:
    for tokens in SIZES:
        for rows in SIZES:
            x, w = integers(tokens, 8, tokens, columns), integers(rows + 100, 8, rows, columns)
            got = product(x, w)
            assert got.dtype == torch.int64
            assert torch.equal(got, x.long() @ w.long().t()), (way, tokens, rows, columns)


@pytest.mark.parametrize("columns", [1, 2, 5, 17, 33, 100])
@pytest.mark.parametrize("bits", [(8, 16), (16, 8), (16, 17), (24, 20), (31, 24), (18, 32)])
def test_wide_operands(way: str, columns: int, bits: tuple[int, int]) -> None:
    x, w = integers(1, bits[0], 7, columns), integers(2, bits[1], 9, columns)
    assert torch.equal(product(x, w), x.long() @ w.long().t()), (way, bits)


def test_sums_of_extremes(way: str) -> None:
    for columns in (1, 3, 64, 129, 4096, MOST_COLUMNS):
        low = torch.full((1, columns), -128, dtype=torch.int8)
        high = torch.full((2, columns), 127, dtype=torch.int8)
        assert product(low, low).tolist() == [[columns << 14]], (way, columns)
        assert product(low, high).tolist() == [[-128 * 127 * columns] * 2], (way, columns)
        assert product(high, high).tolist() == [[127 * 127 * columns] * 2] * 2, (way, columns)


def test_more_columns_are_refused() -> None:
    low = (torch.zeros(1, MOST_COLUMNS + 1, dtype=torch.int8),)
    with pytest.raises(ValueError, match=r"^columns must be at most 131071, got 131072$"):
        digits_product(low, low)


def test_slices_and_no_tokens(way: str) -> None:
    x, w = integers(3, 8, 5, 40), integers(4, 8, 6, 40)
    for part in (slice(3, 4), slice(1, 30), slice(0, 40, 3)):
        want = x[:, part].long() @ w[:, part].long().t()
        assert torch.equal(int8_product(x[:, part], w[:, part]).long(), want), (way, part)
    assert product(x[:0], w).shape == (0, 6)


def test_this_processor_is_asked_for_known_products() -> None:
    x = torch.full((17, 64), -128, dtype=torch.int8)
    right = bool((torch.ops.aten._int_mm(x, x.t()) == 64 << 14).all())
    assert right or not exact.int8_units_serve()


def test_saturating_processor_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturating(a: Tensor, b: Tensor) -> Tensor:
        pairs = (a.long()[:, :, None] * b.long()).unflatten(1, (-1, 2)).sum(2)
        return pairs.clamp(-(1 << 15), (1 << 15) - 1).sum(1).int()

    class Operations:
        aten = type("Aten", (), {"_int_mm": staticmethod(saturating)})

    monkeypatch.setattr(torch, "ops", Operations)
    assert not exact.int8_units_serve.__wrapped__()


def test_slow_units_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(a: Tensor, b: Tensor) -> Tensor:
        time.sleep(0.1)
        return (a.double() @ b.double()).int()

    class Operations:
        aten = type("Aten", (), {"_int_mm": staticmethod(slow)})

    monkeypatch.setattr(torch, "ops", Operations)
    assert exact.int8_units_are_exact()
    assert not exact.int8_units_serve.__wrapped__()


@pytest.mark.parametrize("columns", [1023, 1024, 1025, 2048, 2500])
def test_floats_hold_the_largest_sums(columns: int) -> None:
    low, high = (torch.full((3, columns), v, dtype=torch.int8) for v in (-128, 127))
    for a, b in ((low, low), (low, high), (high, high)):
        assert int(exact.float_product(a, b)[2, 1]) == columns * int(a[0, 0]) * int(b[0, 0])
    odd = low.clone()
    odd[0] = 127
    odd[0, 0] = 1  # an odd sum next to the largest
    assert torch.equal(exact.float_product(odd, low).long(), odd.long() @ low.long().t())


@pytest.mark.parametrize("bits", [8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 40, 63])
def test_digits_sum_to_the_value(bits: int) -> None:
    values = integers(bits, bits, 500)
    parts = digits(values)
    assert all(part.dtype == torch.int8 for part in parts)
    assert len(parts) <= bits // 8 + 1
    for n, value in enumerate(values.tolist()):
        assert sum(int(part[n]) << (8 * i) for i, part in enumerate(parts)) == value


def test_digits_are_as_few_as_can_be() -> None:
    def count(*values: int) -> int:
        return len(digits(torch.tensor(values, dtype=torch.int32)))

    assert [count(0), count(127, -128), count(128), count(-129)] == [1, 1, 2, 2]
    assert [count(32639), count(32640), count(-32896), count(-32897)] == [2, 3, 2, 3]
    assert [count(0x7F7F7F7F), count(0x7F7F7F80), count((1 << 31) - 1)] == [4, 5, 5]


def naive_requantize(value: int, shift: int, bits: int) -> int:
    half = (1 << shift) // 2
    rounded = (value + half) // (1 << shift)  # floor division: halves go up
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, rounded))


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 7, 31, 32, 61, 62])
@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_requantize(shift: int, bits: int) -> None:
    rng = np.random.default_rng(shift * 100 + bits)
    most = 1 << 62
    near = (1 << shift) * np.arange(-300, 301, dtype=object) // 2  # whole and half results
    values = [int(v) + d for v in near for d in (-1, 0, 1) if abs(int(v)) < most]
    values += [most, -most, most - 1, 0, 1, -1]
    values += rng.integers(-most, most, 500).tolist()
    values += (rng.integers(-most, most, 500) >> max(0, 60 - shift - bits)).tolist()
    got = requantize(torch.tensor(values), shift, bits).tolist()
    assert got == [naive_requantize(value, shift, bits) for value in values]


def test_requantize_by_hand() -> None:
    values = torch.tensor([-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6])
    assert requantize(values, 2, 8).tolist() == [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert requantize(values, 0, 3).tolist() == [-4, -4, -4, -3, -2, -1, 0, 1, 2, 3, 3, 3, 3]


def test_tensors_are_copies_with_their_type() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    array.flags.writeable = False
    for view in (array, array[:, ::-1], array.T, np.broadcast_to(array[:1], (4, 3))):
        copy = tensor(view)
        assert copy.dtype == torch.int16
        assert np.array_equal(copy.numpy(), view)
        copy.zero_()
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("bits", range(1, 18))
def test_ranges_of_codes(bits: int) -> None:
    ones = int("1" * bits, 2)
    assert code_range(bits, signed=False) == (0, ones)
    assert code_range(bits, signed=True) == (-1 - ones // 2, ones // 2)
    assert code_magnitude(bits, signed=False) == ones
    assert code_magnitude(bits, signed=True) == 1 + ones // 2


@pytest.mark.parametrize(
    ("magnitude", "bits"), [(0, 1), (1, 2), (2, 3), (3, 3), (127, 8), (128, 9), (2**47 - 1, 48)]
)
def test_width_of_a_signed_integer(magnitude: int, bits: int) -> None:
    assert signed_bits(magnitude) == bits
    low, high = code_range(bits, signed=True)
    assert low <= -magnitude <= magnitude <= high
    assert bits == 1 or magnitude > code_range(bits - 1, signed=True)[1]
