"""Serial line: eight bits without parity, one stop bit, lowest bit first, idle high."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature


class Receiver(wiring.Component):
    """Read bytes off a line, each bit in its middle.

    Parameters
    ----------
    divisor : int
        Cycles of a bit, 4 or more.

    Members
    -------
    line : In(1)
        Of any clock.
    byte : Out(8), valid : Out(1)
        A byte, for one cycle: it cannot wait.
    broken : Out(1)
        The byte of this cycle had no stop bit.
    """

    line: Signal
    byte: Signal
    valid: Signal
    broken: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__(self.ports())

    @staticmethod
    def ports() -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({"line": In(1), "byte": Out(8), "valid": Out(1), "broken": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        metastable, line, before = Signal(init=1), Signal(init=1), Signal(init=1)
        timer = Signal(range(self.divisor + self.divisor // 2))
        left = Signal(range(10))
        m.d.sync += [metastable.eq(self.line), line.eq(metastable), before.eq(line)]
        m.d.sync += self.valid.eq(0)
        with m.If(left == 0), m.If(before & ~line):
            m.d.sync += timer.eq(self.divisor + self.divisor // 2 - 2)
            m.d.sync += left.eq(9)
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [self.valid.eq(1), self.broken.eq(~line)]
            with m.Else():
                m.d.sync += self.byte.eq(Cat(self.byte[1:], line))
        return m


class Transmitter(wiring.Component):
    """Put bytes on a line, one every ten bits.

    Parameters
    ----------
    divisor : int
        Cycles of a bit.

    Members
    -------
    i : In(stream of 8 bits)
    line : Out(1)
    """

    i: stream.Interface
    line: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__(self.ports())

    @staticmethod
    def ports() -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({"i": In(stream.Signature(8)), "line": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(self.divisor))
        bits = Signal(9)
        left = Signal(range(11))
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0), m.If(self.i.valid):
            m.d.sync += [self.line.eq(0), bits.eq(Cat(self.i.payload, 1))]
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(10)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1)]
            m.d.sync += [self.line.eq(bits[0]), bits.eq(Cat(bits[1:], 1))]
        return m
