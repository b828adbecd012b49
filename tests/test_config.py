"""Hardware configuration: what it refuses, and that the derived widths hold."""

from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest

from hwgen.config import KINDS, HardwareConfig


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 0}, "k must be from 1 to 16, got 0"),
        ({"k": 17}, "k must be from 1 to 16, got 17"),
        ({"pe": 0}, "pe must be from 1 to 4096, got 0"),
        ({"pe": 4097}, "pe must be from 1 to 4096, got 4097"),
        ({"lanes": 0}, "lanes must be from 1 to 1024, got 0"),
        ({"lanes": 1025}, "lanes must be from 1 to 1024, got 1025"),
        ({"act_bits": 0}, "act_bits must be from 1 to 16, got 0"),
        ({"act_bits": 17}, "act_bits must be from 1 to 16, got 17"),
        ({"digit": -1}, "digit must be from 1 to 8, got -1"),
        ({"act_bits": 5, "digit": 6}, "digit must be from 1 to 5, got 6"),
        ({"act_bits": 1}, "act_bits must be 2 or more for signed activations, got 1"),
        ({"kind": "count"}, "kind must be one of popcount, addsub, lut, got count"),
        ({"mapping": "ice40"}, "mapping must be one of plain, ecp5, got ice40"),
        (
            {"kind": "lut", "k": 3},
            r"k must be even for ternary weights \(or use --no-ternary\), got 3",
        ),
        ({"kind": "addsub", "terms": 2}, "terms must be from 0 to 1, got 2"),
        ({"table": 1}, "table must be from 2 to 4, got 1"),
        ({"table": 5}, "table must be from 2 to 4, got 5"),
        ({"stage_every": -1}, "stage_every must be from 0 to 10, got -1"),
        ({"stage_every": 11}, "stage_every must be from 0 to 10, got 11"),
        ({"terms": -1}, "terms must be from 0 to 3, got -1"),
        ({"terms": 4}, "terms must be from 0 to 3, got 4"),
        ({"k": 8, "terms": 65}, "terms must be from 0 to 64, got 65"),
        ({"columns": 0}, "columns must be from 1 to 131072, got 0"),
        ({"columns": 131073}, "columns must be from 1 to 131072, got 131073"),
        ({"rows": 0}, "rows must be from 1 to 16777216, got 0"),
        ({"rows": 16777217}, "rows must be from 1 to 16777216, got 16777217"),
        ({"coef_bits": 1}, "coef_bits must be from 2 to 16, got 1"),
        ({"coef_bits": 17}, "coef_bits must be from 2 to 16, got 17"),
        ({"acc_bits": 12}, "acc_bits must be from 13 to 64, got 12"),
        ({"share": -1}, "share must be from 0 to 4096, got -1"),
        ({"share": 4097}, "share must be from 0 to 4096, got 4097"),
        ({"lanes": 1, "acc_bits": 7}, "acc_bits must be from 8 to 64, got 7"),
        (
            {"acc_bits": 15, "requantize_bits": 16},
            "acc_bits must be from 16 to 64, got 15",
        ),
        ({"acc_bits": 65}, "acc_bits must be from 13 to 64, got 65"),
        ({"requantize_bits": 1}, "requantize_bits must be from 2 to 16, got 1"),
        ({"requantize_bits": 17}, "requantize_bits must be from 2 to 16, got 17"),
        ({"weight_words": 1}, "weight_words must be from 2 to 65536, got 1"),
        ({"weight_words": 65537}, "weight_words must be from 2 to 65536, got 65537"),
        ({"bus": "wishbone"}, "bus must be one of stream, axi, got wishbone"),
        ({"bus": "axi", "stream_bits": -8}, "stream_bits must be from 0 to 4096, got -8"),
        ({"bus": "axi", "stream_bits": 4104}, "stream_bits must be from 0 to 4096, got 4104"),
        ({"bus": "axi", "stream_bits": 12}, "stream_bits must be a multiple of 8, got 12"),
        (
            {"stream_bits": 8},
            r"stream_bits must be 0 on plain streams \(or use --bus axi\), got 8",
        ),
        ({"bus": "axi", "link": True}, "bus must be stream to link, got axi"),
        ({"layer_queue": 0}, "layer_queue must be from 1 to 255, got 0"),
        ({"layer_queue": 256}, "layer_queue must be from 1 to 255, got 256"),
    ],
)
def test_refusals(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        HardwareConfig(**parameters)


def test_limits_are_accepted() -> None:
    HardwareConfig(
        k=16, pe=4096, lanes=1024, act_bits=16, digit=16, terms=64, columns=1 << 17, rows=1 << 24,
        acc_bits=64, requantize_bits=16, weight_words=1 << 16,
    )  # fmt: skip
    HardwareConfig(
        k=1, pe=1, lanes=1, act_bits=1, act_signed=False, terms=1, columns=1, rows=1,
        coef_bits=2, acc_bits=2, requantize_bits=0, weight_words=2,
    )  # fmt: skip


def test_every_parameter_has_a_help_text() -> None:
    for field in fields(HardwareConfig):
        assert field.metadata["help"], field.name


def shapes(signed: bool) -> list[HardwareConfig]:
    return [
        HardwareConfig(lanes=lanes, act_bits=act_bits, act_signed=signed, columns=columns)
        for lanes, act_bits, columns in product((1, 2, 3, 4), (1 + signed, 2, 3), (1, 2, 5, 8))
    ]


@pytest.mark.parametrize("signed", [False, True])
def test_dot_bits_hold_every_sum_of_a_word(signed: bool) -> None:
    """Brute force; a bit less would not do."""
    for config in shapes(signed):
        low, high = config.code_range
        sums = {sum(x) for x in product(range(low, high + 1), repeat=config.lanes)}
        assert holds(config.dot_bits, sums)
        assert not holds(config.dot_bits - 1, sums)


@pytest.mark.parametrize("signed", [False, True])
def test_sum_bits_hold_every_sum_of_a_vector(signed: bool) -> None:
    """Every number of lanes of the whole buffer chosen, all activations at either end."""
    for config in shapes(signed):
        lanes = config.buffer_words * config.lanes
        assert lanes >= config.columns
        sums = {chosen * code for chosen in range(lanes + 1) for code in config.code_range}
        assert holds(config.sum_bits, sums)
        assert not holds(config.sum_bits - 1, sums)


def holds(bits: int, values: set[int]) -> bool:
    """Whether a signed number of this width can be each of the values."""
    return all(-(1 << (bits - 1)) <= value < 1 << (bits - 1) for value in values)


def test_scalers_keep_up_with_the_array() -> None:
    """All rows get a slot, there are no more slots than digits, and one scaler less is too few."""
    for pe, act_bits in product(range(1, 40), range(2, 17)):
        for digit in range(1, act_bits + 1):
            config = HardwareConfig(pe=pe, act_bits=act_bits, digit=digit)
            assert config.scalers * config.slots >= pe
            assert config.slots <= config.digits
            assert not config.gathers
            assert (config.scalers - 1) * config.digits < pe


def test_rows_share_scalers() -> None:
    """As many rows as may, or one less, where others have fewer; all rows get a slot."""
    for pe, share, digit in product(range(1, 40), range(1, 20), (1, 4, 8)):
        config = HardwareConfig(pe=pe, share=share, digit=digit)
        assert config.slots <= share
        assert (config.scalers - 1) * share < pe <= config.scalers * config.slots
        assert config.gathers == (config.slots > config.digits)


def test_output_buffer_hides_the_pipeline() -> None:
    """It has room for every tile that can begin before the results of the first have left."""
    for pe, act_bits, digit in product((1, 5, 64), (2, 5, 8), (1, 2, 5, 8)):
        if digit <= act_bits:
            config = HardwareConfig(pe=pe, act_bits=act_bits, digit=digit)
            assert (config.output_bundles - 2) * config.digits >= config.latency + 2


@pytest.mark.parametrize(
    ("act_bits", "signed", "digit", "digits", "digit_range"),
    [
        (1, False, 1, 1, (0, 1)),
        (8, True, 1, 8, (0, 1)),
        (8, False, 1, 8, (0, 1)),
        (8, True, 2, 4, (-2, 3)),
        (8, False, 2, 4, (0, 3)),
        (5, True, 2, 3, (-2, 3)),
        (5, True, 4, 2, (-8, 15)),
        (5, False, 4, 2, (0, 15)),
        (8, True, 8, 1, (-128, 127)),
        (8, False, 8, 1, (0, 255)),
    ],
)
def test_digits(
    act_bits: int, signed: bool, digit: int, digits: int, digit_range: tuple[int, int]
) -> None:
    """Every activation is made up of as many digits in that range, the first with the sign."""
    config = HardwareConfig(act_bits=act_bits, act_signed=signed, digit=digit)
    assert (config.digits, config.digit_range) == (digits, digit_range)
    low, high = config.code_range
    for x in range(low, high + 1):
        lower, top = x % (1 << digit * (digits - 1)), x >> digit * (digits - 1)
        assert 0 <= lower < (digit_range[1] + 1) ** (digits - 1)
        assert digit_range[0] <= (abs(top) if digit == 1 else top) <= digit_range[1]


def test_terms_are_as_many_as_planes_by_default() -> None:
    assert HardwareConfig(k=3).most_terms == 3
    assert HardwareConfig(k=3, terms=7).most_terms == 7
    assert HardwareConfig(k=3, terms=1).most_terms == 1


def test_counts_round_up() -> None:
    config = HardwareConfig(lanes=32, columns=33, pe=64, rows=129)
    assert config.buffer_words == 2
    assert config.most_row_tiles == 3
    assert replace(config, columns=32, rows=128).buffer_words == 1
    assert replace(config, columns=32, rows=128).most_row_tiles == 2


def test_digit_is_one_bit_for_popcount_and_all_for_others() -> None:
    digits = {kind: HardwareConfig(kind=kind, act_bits=6).digit for kind in KINDS}
    assert digits == {"popcount": 1, "addsub": 6, "lut": 6}


@pytest.mark.parametrize(
    ("parameters", "levels", "depth"),
    [
        ({"lanes": 64}, 6, 0),
        ({"lanes": 64, "stage_every": 2}, 6, 2),
        ({"lanes": 64, "stage_every": 4}, 6, 1),
        ({"lanes": 64, "stage_every": 6}, 6, 0),
        ({"lanes": 1, "stage_every": 1}, 0, 0),
        ({"lanes": 64, "stage_every": 1, "mapping": "ecp5"}, 5, 4),
        ({"lanes": 65, "stage_every": 1, "mapping": "ecp5"}, 6, 5),
        ({"lanes": 64, "stage_every": 1, "mapping": "ecp5", "digit": 2}, 6, 6),
        ({"lanes": 64, "stage_every": 1, "kind": "addsub"}, 6, 5),
        ({"lanes": 64, "stage_every": 1, "kind": "lut"}, 5, 5),
        ({"lanes": 64, "kind": "lut", "table": 3}, 5, 1),
    ],
)
def test_registers_of_the_tree(parameters: dict[str, Any], levels: int, depth: int) -> None:
    """Every ``stage_every`` levels but the last, and one where operands are selected."""
    config = HardwareConfig(**parameters)
    assert (config.levels, config.depth) == (levels, depth)
    assert config.latency == 25 + depth + config.slots
