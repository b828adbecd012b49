"""Replay: slots pass on as they come, then again for each further view, in order."""

import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.replay import Replay


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("views", [1, 2, 4])
@pytest.mark.parametrize("act_bits", [1, 3])
def test_slots_of_each_view(act_bits: int, views: int, last: int) -> None:
    """Two tiles, the second as soon as the first has left; ``last`` only at the very end."""
    config = HardwareConfig(
        pe=3, lanes=2, act_bits=act_bits, act_signed=act_bits > 1, columns=8, views=4
    )
    slots = config.slots
    dut = Replay(config)

    async def bench(ctx: SimulatorContext) -> None:
        for tile in range(2):
            for view in range(views):
                for slot in range(slots):
                    ends = last and slot == slots - 1
                    ctx.set(dut.i_valid, view == 0)
                    ctx.set(dut.views, views - 1 if view == 0 else 3)
                    ctx.set(dut.i, {"slot": slot, "last": ends, "requantize": 1, "shift": tile})
                    got = ctx.get(dut.o)
                    assert ctx.get(dut.o_valid)
                    want = {"slot": slot, "again": view > 0, "requantize": 1, "shift": tile}
                    want["last"] = ends and view == views - 1
                    assert {name: got[name] for name in want} == want, (tile, view, slot)
                    await ctx.tick()
        ctx.set(dut.i_valid, 0)
        assert not ctx.get(dut.o_valid)

    simulate(dut, bench)
