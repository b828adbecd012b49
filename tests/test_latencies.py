"""Latencies of gatherers and of the components on the bus, as the architecture page has them."""

from typing import Any

import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.activation_frames import ActivationFrames
from hwgen.axi_lite import AxiLite
from hwgen.config import HardwareConfig
from hwgen.gatherer import Gatherer
from hwgen.layer_queue import LayerQueue
from hwgen.register_block import RegisterBlock
from hwgen.registers import COMMANDS, EVENTS, register_map
from hwgen.run_control import RunControl

CONFIG = HardwareConfig(k=1, pe=2, lanes=2, act_bits=2, columns=8, bus="axi")
ADDRESS = {row.name: row.address for row in register_map(CONFIG)}
LAYER = {"row_tiles": 1, "groups": 1, "group_words": 2, "tail_words": 2, "terms": 1}


@pytest.mark.parametrize("k", [2, 4])
def test_gathered_group_is_there_after_its_last_word(k: int) -> None:
    """A word a cycle, groups of one to three; with one term, and with two of which one is idle."""
    config = HardwareConfig(k=k, kind="addsub", pe=4, lanes=2, act_bits=4, columns=12, share=4)
    assert config.gathers
    dut = Gatherer(config)

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.last, 1)  # as after a reset
        await ctx.tick()
        ctx.set(dut.valid, 1)
        for words in ([5], [-3, 4], [7, -6, 2], [1]):
            for number, word in enumerate(words):
                ctx.set(dut.value, word)
                ctx.set(dut.first, number == 0)
                ctx.set(dut.last, number == len(words) - 1)
                await ctx.tick()
            assert ctx.get(dut.group_sum) == sum(words)

    simulate(dut, bench)


def test_bus_does_a_transfer_in_two_cycles() -> None:
    """Done one cycle after it came, answered in the next, while another one is taken."""
    dut = AxiLite()

    async def bench(ctx: SimulatorContext) -> None:
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            ctx.set(getattr(dut, name), 1)
        for cycle in range(8):
            due = {"awready": cycle % 2 == 0, "write": cycle % 2 == 1}
            due["bvalid"] = cycle > 0 and cycle % 2 == 0
            due |= {"arready": due["awready"], "read": due["write"], "rvalid": due["bvalid"]}
            assert {name: ctx.get(getattr(dut, name)) for name in due} == due, cycle
            await ctx.tick()

    simulate(dut, bench)


def test_layers_are_offered_two_cycles_after_they_were_pushed() -> None:
    """Each vector in a cycle of its own, and the next layer at once; fitting takes a cycle."""
    dut = LayerQueue(CONFIG)

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.run, 1)
        ctx.set(dut.descriptor, {"vectors": 2, "layer": LAYER})
        assert not ctx.get(dut.fits)
        await ctx.tick()
        assert ctx.get(dut.fits)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.shapes.ready, 1)
        for cycle in range(7):
            ctx.set(dut.push, cycle < 2)
            assert ctx.get(dut.o.valid) == (2 <= cycle < 6), cycle
            assert ctx.get(dut.shapes.valid) == (cycle in (2, 4)), cycle
            await ctx.tick()

    simulate(dut, bench)


def test_activation_words_pass_in_the_cycle_in_which_they_come() -> None:
    """From the cycle after the shape on; a word a cycle, across vectors and shapes."""
    dut = ActivationFrames(CONFIG)
    shape = {"groups": 2, "group_words": 1, "tail_words": 2, "vectors": 2}

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.shapes.payload, shape)
        ctx.set(dut.shapes.valid, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        for word in range(12):
            ctx.set(dut.i.payload, {"bits": word, "last": word % 3 == 2})
            assert ctx.get(dut.i.ready)
            assert ctx.get(dut.o.valid)
            assert ctx.get(dut.o.payload.as_value()) == word | (word % 3 == 2) << 4
            assert ctx.get(dut.shapes.ready) == (word % 6 == 5)
            assert not ctx.get(dut.misplaced)
            await ctx.tick()

    simulate(dut, bench)


def test_registers_answer_in_the_cycle_of_a_transfer() -> None:
    """What is read, refusals and commands at once; what is written, and interrupts, in the next."""
    dut = RegisterBlock(CONFIG)

    async def bench(ctx: SimulatorContext) -> None:
        def write(name: str, value: int) -> None:
            ctx.set(dut.write_address, ADDRESS[name])
            ctx.set(dut.write_data, value)
            ctx.set(dut.write_strobe, 15)
            ctx.set(dut.write, 1)

        ctx.set(dut.fits, 1)
        write("control", 1 << list(COMMANDS).index("push"))
        assert ctx.get(dut.commands.push)
        assert not ctx.get(dut.write_refused)
        write("id", 1)
        assert ctx.get(dut.write_refused)
        write("watchdog", 77)
        assert ctx.get(dut.limit) == 0
        await ctx.tick()
        assert ctx.get(dut.limit) == 77
        ctx.set(dut.read, 1)
        ctx.set(dut.read_address, ADDRESS["watchdog"])
        assert ctx.get(dut.read_data) == 77
        write("enable", 1 << list(EVENTS).index("done"))
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.done, 1)
        assert not ctx.get(dut.irq)
        await ctx.tick()
        assert ctx.get(dut.irq)

    simulate(dut, bench)


def test_run_begins_and_ends_a_cycle_later() -> None:
    """Running after the start; done after the last result has left, and idle after that."""
    dut = RunControl(CONFIG)

    async def bench(ctx: SimulatorContext) -> None:
        async def cycle(**ports: int) -> dict[str, Any]:
            for name in ("start", "queued", "begins", "ends", "offered"):
                ctx.set(getattr(dut, name), ports.get(name, 0))
            found = {name: ctx.get(getattr(dut, name)) for name in ("running", "done")}
            await ctx.tick()
            return found

        assert await cycle(start=1, queued=1) == {"running": 0, "done": 0}
        assert await cycle(queued=1, begins=1) == {"running": 1, "done": 0}
        assert await cycle(ends=1) == {"running": 1, "done": 0}
        assert await cycle(offered=1) == {"running": 1, "done": 0}
        assert await cycle() == {"running": 1, "done": 1}
        assert await cycle() == {"running": 0, "done": 0}
        assert ctx.get(dut.counters.cycles) == 4

    simulate(dut, bench)


def test_watchdog_comes_after_so_many_still_cycles() -> None:
    """Every ``limit`` cycles and one; at once if it is lowered to fewer than have passed."""
    dut = RunControl(CONFIG)

    async def bench(ctx: SimulatorContext) -> None:
        async def stuck(cycles: int) -> list[int]:
            found = []
            for number in range(cycles):
                if ctx.get(dut.stuck):
                    found.append(number)
                await ctx.tick()
            return found

        ctx.set(dut.queued, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.limit, 3)
        assert await stuck(12) == [3, 7, 11]
        ctx.set(dut.limit, 0)
        assert await stuck(10) == []
        ctx.set(dut.limit, 4)
        assert await stuck(8) == [0, 5]
        ctx.set(dut.works, 1)
        assert await stuck(20) == []

    simulate(dut, bench)
