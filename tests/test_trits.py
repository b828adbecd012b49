"""Ternary weights five to a byte: every byte there is, and weight words as the image has them."""

from itertools import product

import numpy as np
import pytest
from builders import random_stage, ternary_planes
from streams import checker, feeder, simulate, timed

from hwgen.config import HardwareConfig
from hwgen.image import image
from hwgen.layouts import weight_layout
from hwgen.trits import Unpacker, packed_words, pieces_of
from models.planes import unpack
from models.trits import pack_trits, unpack_trits


def test_every_five_weights() -> None:
    """All 243 have a byte of their own, and come back."""
    weights = np.array(list(product((-1, 0, 1), repeat=5)), np.int8)
    packed = pack_trits(weights)
    assert len(set(packed.ravel().tolist())) == 243
    assert (unpack_trits(packed, 5) == weights).all()
    assert packed[121, 0] == 128  # five zeros
    assert packed[[0, -1], 0].tolist() == [0, 255]


@pytest.mark.parametrize("columns", [1, 4, 5, 6, 13])
def test_any_columns(columns: int) -> None:
    weights = np.random.default_rng(columns).integers(-1, 2, (3, columns)).astype(np.int8)
    packed = pack_trits(weights)
    assert packed.shape == (3, -(-columns // 5))
    assert (unpack_trits(packed, columns) == weights).all()


def test_other_weights() -> None:
    with pytest.raises(ValueError, match=r"^ternary weights must be from -1 to 1, got -2 to 1$"):
        pack_trits(np.array([-2, 1]))


CONFIGS = [
    (HardwareConfig(k=2, pe=1, lanes=1, columns=16), 1),
    (HardwareConfig(k=2, pe=3, lanes=5, columns=40), 1),
    (HardwareConfig(k=2, pe=3, lanes=7, columns=56), 2),
    (HardwareConfig(k=2, pe=2, lanes=4, columns=32, kind="addsub"), 1),
    (HardwareConfig(k=2, pe=3, lanes=8, columns=32, kind="addsub"), 5),
]


@pytest.mark.parametrize("pace", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (0.4, 0.4)])
@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_weight_words(number: int, pace: tuple[float, float]) -> None:
    """The words of a ternary layer of several tiles and groups."""
    config, size = CONFIGS[number]
    rng = np.random.default_rng(number)
    stage = random_stage(
        rng, 2 * config.pe + 1, 13, group=6, planes=ternary_planes(rng, 2 * config.pe + 1, 13),
        coefficients=np.array([[[[3, -3]]]], np.int16), offset=None,
    )  # fmt: skip
    layout = weight_layout(config)
    laid = image(stage, config).weights
    wanted = [layout.from_bits(int.from_bytes(word.tobytes(), "little")) for word in laid]
    packed = packed_words(stage, config, size)
    assert packed.shape == (len(wanted) * pieces_of(config, size), size)
    words = [int.from_bytes(word.tobytes(), "little") for word in packed]
    dut = Unpacker(config, size)
    feed = feeder(dut.i, words, pace[0], rng)
    simulate(dut, feed, checker(dut.o, wanted, pace[1], rng))


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_a_word_of_bytes_a_cycle(number: int) -> None:
    """A weight word is offered one cycle after its last bytes, and the next one begins at once."""
    config, size = CONFIGS[number]
    pieces = pieces_of(config, size)
    taken, left = timed(Unpacker(config, size), [0] * (4 * pieces), 4)
    assert taken == list(range(4 * pieces))
    assert left == [word * pieces for word in range(1, 5)]


def test_refusals() -> None:
    rng = np.random.default_rng(1)
    config, size = CONFIGS[0]
    stage = random_stage(rng, 2, 16)
    assert (unpack(stage.planes, 16).sum(0) == 2).any()
    with pytest.raises(ValueError, match=r"^planes of the layer must be two without a weight in"):
        packed_words(stage, config, size)
    with pytest.raises(ValueError, match=r"^kind must be popcount or addsub with two planes"):
        Unpacker.check(HardwareConfig(kind="lut"))
