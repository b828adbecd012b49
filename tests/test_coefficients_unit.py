"""Coefficient table: the memory image's coefficients, looked up from indices and a table."""

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from builders import random_stage
from streams import checker, feeder, put, simulate, timed

from hwgen.coefficients import CoefficientTable
from hwgen.config import HardwareConfig
from hwgen.image import image
from hwgen.layouts import parameter_layout
from models.codes import Activation

CONFIGS = [
    HardwareConfig(k=1, pe=1, lanes=4, act_bits=2, columns=16),
    HardwareConfig(k=2, pe=5, lanes=4, act_bits=3, columns=16),
    HardwareConfig(k=3, pe=4, lanes=4, act_bits=8, digit=8, columns=16, coef_bits=9, terms=7),
]


@pytest.mark.parametrize("pace", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (0.4, 0.4)])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"pe{config.pe}")
def test_coefficients(config: HardwareConfig, pace: tuple[float, float]) -> None:
    """Two row tiles and a rest, four groups; every entry of the table but one."""
    rng = np.random.default_rng(config.pe)
    entries, out, groups = 5, 2 * config.pe + 1, 4
    top = 1 << (config.coef_bits - 1)
    monomials = tuple(range(1, 1 << config.k))[: config.most_terms]
    table = rng.integers(-top, top, (entries, len(monomials))).astype(np.int16)
    table[0] = 0
    index = rng.integers(1, entries, (out, groups)).astype(np.uint8)
    stage = random_stage(
        rng, out, 16, k=config.k, group=4, coefficients=table, index=index, offset=None,
        monomials=monomials, activation=Activation(bits=config.act_bits),
    )  # fmt: skip
    layout = parameter_layout(config)
    words = image(stage, config).coefficients
    wanted = [layout.from_bits(int.from_bytes(word.tobytes(), "little")) for word in words]
    dut = CoefficientTable(config, entries)

    async def feed(ctx: SimulatorContext) -> None:
        ctx.set(dut.terms, len(monomials))
        for number, value in enumerate(table.ravel()):
            await put(ctx, dut.i_table, {"value": int(value), "last": number == table.size - 1})
        await feeder(dut.i, index_words(index, config), pace[0], rng)(ctx)

    simulate(dut, feed, checker(dut.o, wanted, pace[1], rng))


def index_words(index: np.ndarray, config: HardwareConfig) -> list[list[int]]:
    """Order indices by row tile, group, slot; a row that is none has entry 0, of zeros here."""
    rows = np.pad(index, [(0, -len(index) % config.pe), (0, 0)])
    tiles = rows.reshape(-1, config.pe, index.shape[1]).transpose(0, 2, 1)
    missing = config.slots * config.scalers - config.pe
    slots = np.pad(tiles, [(0, 0), (0, 0), (0, missing)])
    return slots.reshape(-1, config.scalers).tolist()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"pe{config.pe}")
def test_a_word_a_cycle(config: HardwareConfig) -> None:
    """The first two cycles after the last indices of its group, then one after the other."""
    dut, slots, terms, groups = CoefficientTable(config, 2), config.slots, config.most_terms, 4

    async def load(ctx: SimulatorContext) -> None:
        ctx.set(dut.terms, terms)
        for number in range(2 * terms):
            await put(ctx, dut.i_table, {"value": number % 2, "last": number == 2 * terms - 1})

    given = groups * slots * terms
    taken, left = timed(dut, [[1] * config.scalers] * (groups * slots), given, load)
    assert left == list(range(taken[slots - 1] + 2, taken[slots - 1] + 2 + given))
