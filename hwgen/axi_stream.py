"""AXI4-Stream ports of any width in whole bytes: words from beats, and beats from words."""

from math import ceil

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.counting import next_in_ring
from hwgen.layouts import activation_layout, output_layout, parameter_layout, weight_layout

INPUTS = ("weights", "activations", "coefficients", "offsets", "scales")
"""Input streams with a port; layers come from the descriptors."""


def word_layouts(config: HardwareConfig) -> dict[str, data.Layout]:
    """Return the layout of a word of each stream with a port; ``last`` is TLAST instead."""
    parameters = parameter_layout(config)
    activations = {name: f.shape for name, f in activation_layout(config) if name != "last"}
    return {
        "weights": weight_layout(config),
        "activations": data.StructLayout(activations),
        "coefficients": parameters,
        "offsets": parameters,
        "scales": parameters,
        "results": data.StructLayout({"values": output_layout(config)["values"].shape}),
    }


def word_bits(config: HardwareConfig) -> dict[str, int]:
    """Bits of a word of each stream with a port."""
    return {name: layout.size for name, layout in word_layouts(config).items()}


def port_bits(bits: int, config: HardwareConfig) -> int:
    """Bits of TDATA for words of so many bits: the parameter, or the word in whole bytes."""
    return config.stream_bits or 8 * ceil(bits / 8)


def beats_of(bits: int, config: HardwareConfig) -> int:
    """Beats of a word of so many bits, its least significant bits first."""
    return ceil(bits / port_bits(bits, config))


def word_layout(bits: int) -> data.StructLayout:
    """Word with its mark: of the last one of a vector, or of the results of one."""
    return data.StructLayout({"bits": bits, "last": 1})


class WordsFromBeats(wiring.Component):
    """Gather the beats of each word; bits past its end are dropped.

    The last beat of a word passes in the cycle in which the word does: no latency, a beat a cycle.

    Members
    -------
    tdata : In, tvalid : In(1), tready : Out(1), tlast : In(1)
        An AXI4-Stream slave.
    o : Out(stream of ``word_layout(bits)``)
        ``last`` is TLAST of the word's last beat.
    early : Out(1)
        TLAST came in this cycle with a beat that does not end its word.
    """

    tdata: Signal
    tvalid: Signal
    tready: Signal
    tlast: Signal
    o: stream.Interface
    early: Signal

    def __init__(self, bits: int, config: HardwareConfig) -> None:
        self.beats = beats_of(bits, config)
        super().__init__(self.ports(bits, config))

    @staticmethod
    def ports(bits: int, config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "tdata": In(port_bits(bits, config)),
            "tvalid": In(1),
            "tready": Out(1),
            "tlast": In(1),
            "o": Out(stream.Signature(word_layout(bits))),
            "early": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = Signal(range(self.beats))
        held = Signal(len(self.tdata) * (self.beats - 1), reset_less=True)
        ends = Signal()

        m.d.comb += [
            ends.eq(beat == self.beats - 1),
            self.tready.eq(~ends | self.o.ready),
            self.o.valid.eq(self.tvalid & ends),
            self.o.p["bits"].eq(Cat(held, self.tdata)),
            self.o.p["last"].eq(self.tlast),
            self.early.eq(self.tvalid & ~ends & self.tlast),
        ]
        with m.If(self.tvalid & self.tready):
            m.d.sync += beat.eq(next_in_ring(beat, self.beats))
            m.d.sync += held.eq(Cat(held, self.tdata)[len(self.tdata) :])

        return m


class BeatsFromWords(wiring.Component):
    """Cut words into beats; bits past a word's end are 0.

    A word is held here until its last beat has been taken. Its first beat is offered one cycle
    after the word came; beats follow without a gap.

    Members
    -------
    i : In(stream of ``word_layout(bits)``)
    tdata : Out, tvalid : Out(1), tready : In(1), tlast : Out(1)
        An AXI4-Stream master; TLAST comes with the last beat of a word that is marked ``last``.
    """

    i: stream.Interface
    tdata: Signal
    tvalid: Signal
    tready: Signal
    tlast: Signal

    def __init__(self, bits: int, config: HardwareConfig) -> None:
        self.beats = beats_of(bits, config)
        super().__init__(self.ports(bits, config))

    @staticmethod
    def ports(bits: int, config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i": In(stream.Signature(word_layout(bits))),
            "tdata": Out(port_bits(bits, config)),
            "tvalid": Out(1),
            "tready": In(1),
            "tlast": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.tdata)
        beat = Signal(range(self.beats))
        held = Signal(width * self.beats, reset_less=True)
        last = Signal(reset_less=True)
        ends = Signal()

        m.d.comb += [
            ends.eq(beat == self.beats - 1),
            self.tdata.eq(held[:width]),
            self.tlast.eq(last & ends),
            self.i.ready.eq(~self.tvalid | (ends & self.tready)),
        ]
        with m.If(self.tvalid & self.tready):
            m.d.sync += beat.eq(next_in_ring(beat, self.beats))
            m.d.sync += held.eq(held >> width)
            m.d.sync += self.tvalid.eq(~ends)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.tvalid.eq(1)
            m.d.sync += [held.eq(self.i.p["bits"]), last.eq(self.i.p["last"])]

        return m
