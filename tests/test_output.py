"""Output buffer: cycle by cycle against a queue, with room claimed ahead and a stalling sink."""

from collections import deque

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from streams import get, simulate

from hwgen.config import HardwareConfig
from hwgen.output import OutputBuffer


def run(config: HardwareConfig, tiles: int, busy: tuple[float, float, float], seed: int) -> int:
    """Send tiles through; return the cycles.

    ``busy`` is how often room is claimed where there is some, a claimed word comes, and the sink
    is ready.
    """
    rng = np.random.default_rng(seed)
    dut = OutputBuffer(config)
    slots, bundles = config.slots, config.output_bundles
    low, high = -(1 << (config.acc_bits - 1)), (1 << (config.acc_bits - 1)) - 1
    waiting: deque[tuple[list[int], int, int]] = deque()  # values, last, cycle they came in
    claimed = came = gone = cycle = free = 0

    async def bench(ctx: SimulatorContext) -> None:
        nonlocal claimed, came, gone, cycle, free
        while gone < tiles * slots:
            at = f"cycle {cycle}, seed {seed}"
            available = claimed - gone // slots < bundles
            assert ctx.get(dut.available) == available, at
            claim = available and claimed < tiles and rng.random() < busy[0]
            valid = came < claimed * slots and rng.random() < busy[1]
            ready = rng.random() < busy[2]
            values = rng.integers(low, high + 1, config.scalers).tolist()
            last = came % slots == slots - 1
            ctx.set(dut.claim, claim)
            ctx.set(dut.valid, valid)
            ctx.set(dut.results, {"values": values, "last": last})
            ctx.set(dut.o.ready, ready)
            offered = bool(waiting) and cycle >= max(waiting[0][2] + 3, free)
            assert ctx.get(dut.o.valid) == offered, at
            if offered:
                word = ctx.get(dut.o.payload)
                assert (list(word["values"]), word["last"]) == waiting[0][:2], at
            await ctx.tick()
            claimed += claim
            if valid:
                waiting.append((values, last, cycle))
                came += 1
            cycle += 1
            if offered and ready:
                waiting.popleft()
                gone += 1
                free = cycle

    simulate(dut, bench)
    return cycle


CONFIGS = [
    HardwareConfig(pe=1, lanes=1, act_bits=8),
    HardwareConfig(pe=4, lanes=1, act_bits=8),
    HardwareConfig(pe=5, lanes=1, act_bits=3, acc_bits=64),
    HardwareConfig(pe=3, lanes=1, act_bits=1, act_signed=False, acc_bits=8),
]


@pytest.mark.parametrize(
    "busy", [(0.9, 0.9, 0.9), (0.9, 0.9, 0.1), (0.3, 0.9, 0.9), (0.9, 0.3, 0.9)]
)
@pytest.mark.parametrize("config", CONFIGS, ids=["1x1", "4x1", "3x2", "1x3"])
def test_nothing_is_lost(config: HardwareConfig, busy: tuple[float, float, float]) -> None:
    run(config, 40, busy, 1)


@pytest.mark.parametrize("config", CONFIGS, ids=["1x1", "4x1", "3x2", "1x3"])
def test_a_word_a_cycle(config: HardwareConfig) -> None:
    """A word is offered three cycles after it came; with a ready sink there is never a gap."""
    tiles = 30
    assert run(config, tiles, (1.0, 1.0, 1.0), 1) == 1 + tiles * config.slots + 3


def test_room_for_so_many_tiles_and_no_more() -> None:
    """All of it fills while the sink refuses; each tile that leaves makes room for one."""
    config = CONFIGS[1]
    dut = OutputBuffer(config)
    words = config.slots * config.output_bundles

    async def bench(ctx: SimulatorContext) -> None:
        for _ in range(config.output_bundles):
            assert ctx.get(dut.available)
            ctx.set(dut.claim, 1)
            await ctx.tick()
        ctx.set(dut.claim, 0)
        assert not ctx.get(dut.available)
        for number in range(words):
            ctx.set(dut.valid, 1)
            ctx.set(dut.results, {"values": [number], "last": 0})
            await ctx.tick()
        ctx.set(dut.valid, 0)
        await ctx.tick().repeat(3)
        for number in range(words):
            assert ctx.get(dut.available) == (number >= config.slots)
            word = await get(ctx, dut.o)
            assert list(word["values"]) == [number]

    simulate(dut, bench)
