"""Link: codes of a chain's middle, in the order and layout in which activations are read."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from builders import random_stage, signs
from streams import checker, feeder, simulate

from hwgen.config import HardwareConfig
from hwgen.image import activation_words
from hwgen.layouts import activation_layout
from hwgen.link import Link
from models.codes import Activation, Requantize
from sim.cases import random_job
from sim.engine import Engine
from sim.jobs import Job, cycles_of

CONFIGS = [
    HardwareConfig(k=1, pe=4, lanes=4, act_bits=4, columns=32, requantize_bits=4),
    HardwareConfig(k=1, pe=8, lanes=4, act_bits=8, columns=32, views=3),
    HardwareConfig(k=1, pe=4, lanes=8, act_bits=4, digit=2, columns=64, views=2, requantize_bits=3),
    HardwareConfig(k=1, pe=4, lanes=4, act_bits=8, digit=8, columns=32),
]


def result_words(codes: np.ndarray, config: HardwareConfig) -> list[dict[str, Any]]:
    """Give results as the circuit does: row tile, view, slot; rows that are none are 0."""
    words = []
    for token in codes:
        missing = -token.shape[1] % config.pe
        tiles = np.pad(token, [(0, 0), (0, missing)]).reshape(len(token), -1, config.pe)
        tiles = tiles.transpose(1, 0, 2).reshape(-1, config.scalers)
        words += [{"values": word.tolist(), "last": 0} for word in tiles]
        words[-1]["last"] = 1
    return words


def run(config: HardwareConfig, rows: int, pace: tuple[float, float]) -> None:
    """Send three tokens and compare all words of activations with those of the memory image."""
    rng = np.random.default_rng(rows)
    low, high = config.code_range
    codes = rng.integers(low, high + 1, (3, config.views, rows))
    words = activation_words(codes, signs(rng, 1, rows, views=config.views), config)
    layout = activation_layout(config)
    wanted = [layout.from_bits(int.from_bytes(word.tobytes(), "little")) for word in words]
    dut = Link(config)

    async def feed(ctx: SimulatorContext) -> None:
        ctx.set(dut.views, config.views)
        ctx.set(dut.words, -(-rows // config.lanes))
        await feeder(dut.i, result_words(codes, config), pace[0], rng)(ctx)

    simulate(dut, feed, checker(dut.o, wanted, pace[1], rng))


@pytest.mark.parametrize("pace", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (0.4, 0.4)])
@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_words(number: int, pace: tuple[float, float]) -> None:
    """Tokens of one row, of a whole word, of one row more, and of as many as fit."""
    config = CONFIGS[number]
    most = config.buffer_words // config.views * config.lanes
    for rows in (1, config.lanes, config.lanes + 1, most):
        run(config, rows, pace)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            HardwareConfig(k=1, pe=8, lanes=4, act_bits=2, requantize_bits=2, share=4),
            "share must be at most the 2 digits of an activation to link, got 4",
        ),
        (
            HardwareConfig(k=1, pe=5, lanes=4, act_bits=2),
            "pe must be a multiple of the 3 scalers to link, got 5",
        ),
        (
            HardwareConfig(k=1, pe=4, lanes=6, digit=8),
            "lanes must be a multiple of the 4 scalers to link, got 6",
        ),
        (
            HardwareConfig(k=1, pe=6, lanes=4, act_bits=3),
            "lanes must divide the 6 processing elements or be a multiple of them to link, got 4",
        ),
        (
            HardwareConfig(k=1, pe=4, lanes=4, act_bits=4),
            "requantize_bits must be from 2 to the activations' 4 to link, got 8",
        ),
    ],
)
def test_refusals(config: HardwareConfig, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        config.check_link()


CIRCUITS = [
    HardwareConfig(k=1, pe=4, lanes=4, act_bits=4, columns=64, requantize_bits=4, link=True),
    HardwareConfig(
        k=2, pe=4, lanes=8, act_bits=6, digit=3, columns=128, views=3, exponents=2,
        requantize_bits=5, link=True,
    ),
]  # fmt: skip


def chain(rng: np.random.Generator, config: HardwareConfig) -> Job:
    """Make a job of two stages of random sizes; the second in whole words or one group."""
    views = int(rng.integers(1, config.views + 1))
    most = config.buffer_words // views * config.lanes
    middle = int(rng.choice([1, config.pe, int(rng.integers(1, most + 1)), most]))
    columns = int(rng.integers(1, most + 1))
    low, high = config.code_range
    top = 1 << (config.requantize_bits + 3)
    scales = rng.integers(-top, top, (views, middle)).astype(np.int16)
    first = random_stage(
        rng, middle, columns, k=config.k, views=views, bounds=(-9, 9),
        activation=Activation(bits=config.act_bits),
        requantize=Requantize(scales, int(rng.integers(4, 14)), config.requantize_bits),
    )  # fmt: skip
    group = config.lanes if middle > config.lanes and rng.random() < 0.5 else middle
    second = random_stage(
        rng, int(rng.integers(1, 3 * config.pe)), middle, k=config.k, group=group, views=views,
        activation=None,
    )  # fmt: skip
    codes = rng.integers(low, high + 1, (int(rng.integers(1, 4)), views, columns))
    return Job(first, codes, link=second)


@pytest.mark.parametrize("number", range(len(CIRCUITS)))
def test_chains_stay_inside(number: int) -> None:
    """Chains of random sizes among other layers, with idle inputs and stalls; and their cycles."""
    config = CIRCUITS[number]
    rng = np.random.default_rng(number)
    engine = Engine(config)
    for turn in range(6):
        jobs = [chain(rng, config), random_job(rng, config), chain(rng, config)]
        for idle, stall in ((0.0, 0.0), (0.4, 0.4)):
            outcome = engine.run(jobs, idle=idle, stall=stall, seed=turn)
            for job, got in zip(jobs, outcome.results, strict=True):
                assert (got == job.expected()).all(), f"turn {turn}, idle {idle}"
            if not idle:
                assert outcome.cycles == cycles_of(jobs, config), f"turn {turn}"
    engine.close()
