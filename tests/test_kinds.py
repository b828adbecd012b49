"""Kinds and mappings of elements: sums against plain ones, circuits against the reference."""

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from inlined import inline
from streams import simulate
from test_activations import digits_of
from test_array import bits_of

from hwgen.array import PEArray
from hwgen.config import HardwareConfig
from hwgen.weights import encode
from sim.cases import every_kind, random_job
from sim.engine import Engine
from sim.jobs import cycles_of

PLAIN = [
    HardwareConfig(kind="addsub", k=2, pe=2, lanes=1, act_bits=3, columns=8),
    HardwareConfig(kind="addsub", k=4, pe=2, lanes=7, act_bits=5, digit=2, columns=7),
    HardwareConfig(
        kind="addsub", k=2, pe=2, lanes=8, act_bits=4, digit=1, stage_every=1, columns=8
    ),
    HardwareConfig(kind="addsub", k=3, pe=2, lanes=5, ternary=False, stage_every=2, columns=8),
    HardwareConfig(kind="lut", k=2, pe=2, lanes=7, act_bits=6, stage_every=1, columns=8),
    HardwareConfig(kind="lut", k=4, pe=2, lanes=9, act_bits=4, digit=3, table=3, columns=9),
    HardwareConfig(kind="lut", k=1, pe=2, lanes=6, ternary=False, act_signed=False, columns=8),
    HardwareConfig(k=2, pe=2, lanes=9, act_bits=3, stage_every=1, columns=9),
]


@pytest.mark.parametrize("gap", [0.0, 0.4])
@pytest.mark.parametrize("number", range(len(PLAIN)))
def test_sums_at_the_cycle(monkeypatch: pytest.MonkeyPatch, number: int, gap: float) -> None:
    """Extremes and random words; the sums follow ``6 + depth`` cycles after the last digit."""
    config = PLAIN[number]
    inline(monkeypatch, config)
    rng = np.random.default_rng(number)
    words = [word(rng, config, extreme) for extreme in (None, -1, 0, 1) for _ in range(3)]
    issued: dict[int, tuple[int, int]] = {}
    cycle = 0
    for index in range(len(words)):
        for digit in reversed(range(config.digits)):
            while rng.random() < gap:
                cycle += 1
            issued[cycle] = index, digit
            cycle += 1
    ends = {at: index for at, (index, digit) in issued.items() if digit == 0}
    dut = PEArray(config)

    async def bench(ctx: SimulatorContext) -> None:
        seen = 0
        for now in range(cycle + 6 + config.depth):
            ctx.set(dut.valid, now in issued)
            if now in issued:
                index, digit = issued[now]
                step = {"digit": digit, "first": digit == config.digits - 1, "last": digit == 0}
                ctx.set(dut.step, step | {"mask": words[index][2]})
            if now - 1 in issued:
                _, x, _, _ = words[issued[now - 1][0]]
                ctx.set(dut.digits.as_value(), digits_of(x.tolist(), config))
            if now - 2 in issued:
                weights, _, _, _ = words[issued[now - 2][0]]
                ctx.set(dut.weights.as_value(), bits_of(weights))
            if now - 6 - config.depth in ends:
                seen += 1
                _, x, _, sums = words[ends[now - 6 - config.depth]]
                assert list(ctx.get(dut.sums)) == sums.tolist(), f"cycle {now}"
                assert ctx.get(dut.x_sum) == x.sum()
            await ctx.tick()
        assert seen == len(words)

    simulate(dut, bench)


def word(
    rng: np.random.Generator, config: HardwareConfig, weight: int | None
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Return a word's bits, its activations, a mask, and the sums due; ``weight`` everywhere."""
    low, high = config.code_range
    shape = (config.pe, config.weights, config.lanes)
    smallest = -1 if config.signed_weights else 0
    values = rng.integers(smallest, 2, shape).astype(np.int8)
    x = rng.integers(low, high + 1, config.lanes)
    if weight is not None:
        values[:] = max(weight, smallest)
        x[:] = rng.choice([low, high])
    if config.kind == "popcount":
        mask = int(rng.integers(1, 1 << config.weights))
        chosen = values[:, [n for n in range(config.weights) if mask >> n & 1]].min(1)
    else:
        number = int(rng.integers(0, config.weights))
        mask, chosen = 1 << number, values[:, number]
    return encode(values, config), x, mask, chosen.astype(int) @ x


CIRCUITS = [
    HardwareConfig(
        kind="addsub", k=2, pe=3, lanes=8, columns=64, stage_every=1, mapping="ecp5", weight_words=2
    ),
    HardwareConfig(kind="addsub", k=4, pe=3, lanes=5, columns=40, digit=1, mapping="ecp5"),
    HardwareConfig(kind="lut", k=2, pe=3, lanes=7, columns=56, table=3, mapping="ecp5"),
    HardwareConfig(k=2, pe=3, lanes=27, columns=81, stage_every=1, mapping="ecp5"),
    HardwareConfig(
        k=1, pe=3, lanes=6, columns=30, act_bits=5, act_signed=False, digit=3, mapping="ecp5"
    ),
    HardwareConfig(k=2, pe=5, lanes=6, act_bits=5, columns=96, views=3, exponents=5),
    HardwareConfig(kind="addsub", pe=3, lanes=4, columns=64, views=2, exponents=1),
]


@pytest.mark.parametrize("config", CIRCUITS, ids=lambda config: f"{config.kind}-{config.lanes}")
def test_circuits_equal_the_reference(config: HardwareConfig) -> None:
    rng = np.random.default_rng(3)
    jobs = [*every_kind(rng, config), *(random_job(rng, config, tokens=2) for _ in range(5))]
    engine = Engine(config)
    outcome = engine.run(jobs)
    engine.close()
    for number, (job, got) in enumerate(zip(jobs, outcome.results, strict=True)):
        assert (got == job.expected()).all(), f"job {number}, seed 3"
    assert outcome.cycles == cycles_of(jobs, config)


def test_ternary_layer_takes_one_pass() -> None:
    """Half the steps of its two planes, and one where all bits of activations are taken at once."""
    rng = np.random.default_rng(1)
    pair = HardwareConfig(kind="addsub", pe=4, lanes=8, columns=64)
    job = next(
        job
        for job in (random_job(rng, pair) for _ in range(50))
        if job.stage.terms == 2 and job.stage.k == 2
    )
    planes = HardwareConfig(pe=4, lanes=8, columns=64, digit=8)
    assert 2 * job.steps(pair) == job.steps(planes)
