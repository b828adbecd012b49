"""Fixed point: units, ties and limits, of what is stored and of what a mix makes of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.coefficients import Mix, mixed
from models.fixed import fixed_coefficients, fixed_point


def test_unit_uses_the_whole_range() -> None:
    values = np.array([[1.0, -3.0], [0.0, 0.0], [1e-20, 5e-21], [7.0, 7.0]])
    whole, unit = fixed_point(values)
    assert np.abs(whole).max(axis=1).tolist() == [32767, 0, 32767, 32767]
    assert unit[1] == 1.0
    assert (np.abs(whole * unit[:, None].astype(np.float64) - values) <= unit[:, None] / 2).all()


def test_ties_round_to_even() -> None:
    whole, _ = fixed_point(np.array([[32767.0, 0.5, 1.5, 2.5, -0.5, -1.5]]))
    assert whole.tolist() == [[32767, 0, 2, 2, 0, -2]]


def test_unit_stays_a_normal_number() -> None:
    whole, unit = fixed_point(np.array([[1e-40, 1e-300], [3e38, 0.0]]))
    assert unit[0] == np.finfo(np.float32).tiny
    assert whole.tolist() == [[0, 0], [32767, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_coefficients_beyond_float32_are_refused(bad: float) -> None:
    text = "coefficients must be finite float32, got a NaN, an infinity or more"
    with pytest.raises(ValueError, match=f"^{text}$"):
        fixed_point(np.array([[bad]]))


MIXES: list[Mix] = [((1, -1, 0),), ((2, 0, -1), (0, 2, -1)), ((-1, -128, 3), (7, 0, 127))]


@given(
    mix=st.sampled_from(MIXES),
    with_offset=st.booleans(),
    bits=st.integers(8, 16),
    top=st.sampled_from([32767, 16383]),
    seed=st.integers(0, 1 << 32),
)
def test_all_limits_hold_and_one_is_met(
    mix: Mix, with_offset: bool, bits: int, top: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((5, 3, len(mix))) * 10.0 ** rng.integers(-5, 5, (5, 1, 1))
    offset = values[..., 0] * rng.normal() if with_offset else None
    whole, unit = fixed_coefficients(values, offset, mix, bits, top)
    stored, count = whole.astype(np.int64), len(mix)
    terms = mixed(stored[..., :count], mix)
    if offset is None:
        assert stored.shape == values.shape
    else:
        terms[..., -1] += stored[..., count]
        assert (np.abs(stored[..., count] * unit[:, None] - offset) <= unit[:, None] / 2).all()
    error = np.abs(stored[..., :count] * unit[:, None, None].astype(np.float64) - values)
    assert (error <= unit[:, None, None] * 0.5001).all()  # the quotient is rounded, too
    own = np.abs(stored[..., :count]).max((1, 2)) / (2 ** (bits - 1) - 1)
    made = np.abs(terms).max((1, 2)) / top
    beside = np.abs(stored).max((1, 2)) / top
    assert (own <= 1).all()
    assert (made <= 1).all()
    assert (np.maximum(np.maximum(own, made), beside) > 0.96).all()  # halves kept free: 3 %


@pytest.mark.parametrize("mix", [((1, -1, 0),), ((1, 2, -4, 0), (0, 0, 0, -4)), ((-128, 0),)])
@pytest.mark.parametrize("bits", [8, 16])
def test_integers_stay_as_they_are(mix: Mix, bits: int) -> None:
    """Rounding again changes nothing where no sum is at its limit."""
    values = np.random.default_rng(bits).standard_normal((9, 4, len(mix)))
    first, unit = fixed_coefficients(values, None, mix, bits)
    assert np.abs(mixed(first.astype(np.int64), mix)).max() <= 32767
    real = first.astype(np.float64) * unit[:, None, None]
    again, other = fixed_coefficients(real, None, mix, bits)
    assert np.array_equal(again, first)
    assert np.array_equal(other, unit)


def test_no_mix_has_no_slack() -> None:
    values = np.array([[[1.0, -2.0]], [[4.0, 0.5]]])
    offset = np.array([[-4.0], [0.0]])
    whole, unit = fixed_coefficients(values, offset, None, 8)
    assert np.abs(whole[..., :2]).max((1, 2)).tolist() == [127, 127]
    assert whole[..., 2].tolist() == [[-254], [0]]  # beyond 8 bits: offsets have 16
    assert unit.tolist() == [np.float32(2 / 127), np.float32(4 / 127)]
