"""Base-3 unpacker: weight words from ternary weights that come five to a byte."""

import numpy as np
from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hwgen.config import HardwareConfig
from hwgen.counting import next_in_ring
from hwgen.image import Words, weight_rows
from hwgen.layouts import weight_layout
from hwgen.pipe import Pipe
from models.checks import require
from models.stage import Stage
from models.trits import PER_BYTE, pack_trits, weights_of


def pieces_of(config: HardwareConfig, size: int) -> int:
    """Return how many words of ``size`` bytes hold the weights of a weight word."""
    return -(-config.pe * config.lanes // (PER_BYTE * size))


def packed_words(stage: Stage, config: HardwareConfig, size: int) -> Words:
    """Return the weights of a ternary stage as :class:`Unpacker` takes them.

    Raises
    ------
    ValueError
        The stage is not ternary: two planes that have no weight in common.
    """
    ternary = stage.k == 2 and not (stage.planes[0] & stage.planes[1]).any()
    require(ternary, "planes of the layer", "be two without a weight in both, to pack", stage.k)
    rows = weight_rows(weights_of(stage.planes, stage.columns)[np.newaxis], stage, config)
    packed = pack_trits(rows.reshape(len(rows), -1))
    missing = pieces_of(config, size) * size - packed.shape[1]
    return np.pad(packed, [(0, 0), (0, missing)]).reshape(-1, size)


class Unpacker(wiring.Component):
    """Unpack ``size`` bytes a cycle, and gather them to weight words.

    A byte times 3, five times: a weight and a remainder each time. A weight word takes as many
    cycles as it has words of bytes, and is offered one cycle after the last of them.

    Parameters
    ----------
    config : HardwareConfig
        Of ``popcount`` with two planes (of 1s, and of -1s), or of ``addsub`` with one ternary
        weight in a word.
    size : int

    Members
    -------
    i : In(stream of ``size`` bytes)
        The first byte lowest.
    o : Out(stream of ``weight_layout(config)``)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HardwareConfig, size: int) -> None:
        self.config = config
        self.size = size
        super().__init__({
            "i": In(stream.Signature(8 * size)),
            "o": Out(stream.Signature(weight_layout(config))),
        })

    @staticmethod
    def check(config: HardwareConfig) -> None:
        """Raise ``ValueError`` unless there is such a unit."""
        planes = config.kind == "popcount" or (config.kind == "addsub" and config.ternary)
        rule = "be popcount or addsub with two planes to unpack base-3 weights"
        require(planes and config.k == 2, "kind", rule, config.kind)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        pieces = pieces_of(config, self.size)
        each = 2 * PER_BYTE * self.size
        piece = Signal(range(pieces))
        held = Signal(data.ArrayLayout(each, max(1, pieces - 1)), reset_less=True)
        last = piece == pieces - 1
        weights = self._weights(m)  # two bits each: 0, 1 or 2 for -1, 0 or 1
        m.submodules.word = word = Pipe(weight_layout(config))
        m.d.comb += [
            word.i.valid.eq(self.i.valid & last),
            self.i.ready.eq(word.i.ready | ~last),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += piece.eq(next_in_ring(piece, pieces))
            for number in range(pieces - 1):
                with m.If(piece == number):
                    m.d.sync += held[number].eq(weights)
        every = Cat(held, weights) if pieces > 1 else weights
        for row in range(config.pe):
            places = range(row * config.lanes, (row + 1) * config.lanes)
            trits = [every[2 * place : 2 * place + 2] for place in places]
            m.d.comb += word.i.p[row].as_value().eq(self._row(trits))
        connect(m, word.o, flipped(self.o))
        return m

    def _weights(self, m: Module) -> Value:
        """Return the weights of the bytes that are offered."""
        found = []
        for byte in range(self.size):
            left: Value = self.i.payload[8 * byte : 8 * byte + 8]
            for place in range(PER_BYTE):
                times_3 = Signal(10, name=f"byte_{byte}_{place}")
                m.d.comb += times_3.eq((left << 1) + left)
                found.append(times_3[8:])
                left = times_3[:8]
        return Cat(*found)

    def _row(self, trits: list[Value]) -> Value:
        """Return the weights of a row as the layout of a word has them."""
        minus = [~trit.any() for trit in trits]
        if self.config.kind == "popcount":
            return Cat(*(trit[1] for trit in trits), *minus)
        some = [~trit[0] for trit in trits]
        relative = [sign ^ minus[lane & (lane - 1)] if lane else sign
                    for lane, sign in enumerate(minus)]  # fmt: skip
        return Cat(*some, *relative)
