"""AXI4-Stream ports: words in beats, with the latencies of the architecture page; their table."""

import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.axi_stream import BeatsFromWords, WordsFromBeats, beats_of
from hwgen.config import HardwareConfig
from hwgen.ports import port_table

BITS = (1, 8, 20, 64)


def config(stream_bits: int) -> HardwareConfig:
    return HardwareConfig(bus="axi", stream_bits=stream_bits)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("stream_bits", [0, 8, 24])
def test_beats_in(bits: int, stream_bits: int) -> None:
    """A word passes with its last beat, and the next word's first beat follows at once."""
    dut = WordsFromBeats(bits, config(stream_bits))
    beats, width = beats_of(bits, config(stream_bits)), len(dut.tdata)
    words = [(0x9E3779B97F4A7C15 * (n + 1)) & (1 << bits) - 1 for n in range(6)]

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.tvalid, 1)
        for number, word in enumerate(words):
            for beat in range(beats):
                ends = beat == beats - 1
                ctx.set(dut.tdata, word >> width * beat & (1 << width) - 1)
                ctx.set(dut.tlast, ends and number % 2)
                assert ctx.get(dut.tready) == 1
                assert ctx.get(dut.o.valid) == ends
                if ends:
                    assert ctx.get(dut.o.p["bits"]) == word
                    assert ctx.get(dut.o.p["last"]) == number % 2
                await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("stream_bits", [0, 8, 24])
def test_beats_out(bits: int, stream_bits: int) -> None:
    """The first beat follows its word by one cycle; beats follow each other without a gap."""
    dut = BeatsFromWords(bits, config(stream_bits))
    beats, width = beats_of(bits, config(stream_bits)), len(dut.tdata)
    words = [(0x9E3779B97F4A7C15 * (n + 1)) & (1 << bits) - 1 for n in range(6)]

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.tready, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.p["bits"], words[0])
        ctx.set(dut.i.p["last"], 0)
        assert (ctx.get(dut.i.ready), ctx.get(dut.tvalid)) == (1, 0)
        await ctx.tick()
        for number, word in enumerate(words):
            after = number + 1
            ctx.set(dut.i.valid, after < len(words))
            ctx.set(dut.i.p["bits"], words[after % len(words)])
            ctx.set(dut.i.p["last"], after % 2)
            for beat in range(beats):
                ends = beat == beats - 1
                assert ctx.get(dut.tvalid) == 1
                assert ctx.get(dut.tdata) == word >> width * beat & (1 << width) - 1
                assert ctx.get(dut.tlast) == (ends and number % 2)
                assert ctx.get(dut.i.ready) == ends
                await ctx.tick()
        assert ctx.get(dut.tvalid) == 0

    simulate(dut, bench)


@pytest.mark.parametrize(("act_signed", "sign"), [(True, "signed"), (False, "unsigned")])
@pytest.mark.parametrize("bus", ["stream", "axi"])
def test_table_says_which_numbers_are_signed(bus: str, act_signed: bool, sign: str) -> None:
    table = port_table(HardwareConfig(pe=4, lanes=4, act_signed=act_signed, exponents=2, bus=bus))
    assert f"| 31:0 | values[0..3], 8 bits each, {sign} |" in table
    assert table.count("| 15:0 | [0..0], 16 bits each, signed |") == 3
    assert "| 47:0 | values[0..0], 48 bits each, signed |" in table
    assert " | exponent |" in table
