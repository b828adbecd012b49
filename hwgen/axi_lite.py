"""AXI4-Lite slave: five channels in, single reads and writes of registers out."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

ADDRESS_BITS = 12
"""Addresses of bytes: the registers fill one page of 4 KiB."""

OKAY, SLVERR = 0, 2
"""Responses: done, and refused by the slave (AMBA AXI protocol specification, A3.4.5)."""

CHANNELS = {
    "awaddr": In(ADDRESS_BITS),
    "awprot": In(3),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(32),
    "wstrb": In(4),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(ADDRESS_BITS),
    "arprot": In(3),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(32),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}
"""Ports of a slave, by AXI's names. Protection is not looked at."""


class AxiLite(wiring.Component):
    """Answer every address and every pair of address and data, in order, whatever comes first.

    The write address and the data may come in either order, or together. One read and one write
    are on their way at a time: each is done one cycle after it came in whole, its response follows
    in the next, and the next one is taken meanwhile. So a master that always accepts gets a read
    and a write in every two cycles.

    Members
    -------
    awaddr ... rready
        The AXI4-Lite channels.
    write : Out(1)
        A write is done in this cycle.
    write_address : Out(12), write_data : Out(32), write_strobe : Out(4)
    write_refused : In(1)
        Answer that write with ``SLVERR``.
    read : Out(1)
        A read is done in this cycle.
    read_address : Out(12), read_data : In(32)
    read_refused : In(1)
        Answer that read with ``SLVERR``.
    """

    awaddr: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wvalid: Signal
    wready: Signal
    bresp: Signal
    bvalid: Signal
    bready: Signal
    araddr: Signal
    arvalid: Signal
    arready: Signal
    rdata: Signal
    rresp: Signal
    rvalid: Signal
    rready: Signal
    write: Signal
    write_address: Signal
    write_data: Signal
    write_strobe: Signal
    write_refused: Signal
    read: Signal
    read_address: Signal
    read_data: Signal
    read_refused: Signal

    def __init__(self) -> None:
        super().__init__(self.ports())

    @staticmethod
    def ports() -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            **CHANNELS,
            "write": Out(1),
            "write_address": Out(ADDRESS_BITS),
            "write_data": Out(32),
            "write_strobe": Out(4),
            "write_refused": In(1),
            "read": Out(1),
            "read_address": Out(ADDRESS_BITS),
            "read_data": In(32),
            "read_refused": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()

        has_address = Signal()
        has_data = Signal()
        has_read = Signal()

        m.d.comb += [
            self.awready.eq(~has_address),
            self.wready.eq(~has_data),
            self.write.eq(has_address & has_data & (~self.bvalid | self.bready)),
            self.arready.eq(~has_read),
            self.read.eq(has_read & (~self.rvalid | self.rready)),
        ]

        with m.If(self.awready & self.awvalid):
            m.d.sync += [has_address.eq(1), self.write_address.eq(self.awaddr)]
        with m.If(self.wready & self.wvalid):
            m.d.sync += has_data.eq(1)
            m.d.sync += [self.write_data.eq(self.wdata), self.write_strobe.eq(self.wstrb)]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [has_address.eq(0), has_data.eq(0)]
            m.d.sync += [self.bvalid.eq(1), self.bresp[1].eq(self.write_refused)]

        with m.If(self.arready & self.arvalid):
            m.d.sync += [has_read.eq(1), self.read_address.eq(self.araddr)]
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(self.read):
            m.d.sync += has_read.eq(0)
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(self.read_data)]
            m.d.sync += self.rresp[1].eq(self.read_refused)

        return m
