"""Link: takes frames off the line, does what they ask for, and replies."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from fpga.frames import MOST_UNITS, REPLY, REQUEST, Kind, Status
from fpga.gateware.store import LATENCY

READ_CYCLES = LATENCY + 3
"""Cycles from an address to what is there, at most: in the store, two there and one back."""


class Link(wiring.Component):
    """Serve requests, one after the other; see :mod:`fpga.frames`.

    Data of a request are kept until its CRC is known: of a damaged or cut frame nothing is
    written. Such a frame is answered when the line has been quiet for ``gap`` cycles, so that
    whatever still comes of it is not taken for another one.

    Members
    -------
    byte : In(8), valid : In(1), broken : In(1)
        As :class:`fpga.gateware.uart.Receiver` has them.
    o : Out(stream of 8 bits)
    address : Out(32)
        In units; where to write, or what to read.
    last : Out(24)
        Last address of the request, its region apart.
    allowed : In(1)
        All addresses from ``address`` to ``last`` are there; two cycles after these.
    write : Out(1), data : Out(32)
        ``data`` stays for another cycle.
    read : Out(1)
        ``address`` is being read, in these ``READ_CYCLES + 1`` cycles.
    value : In(32)
        What is there, in the last of them.
    accepted, damaged : Out(1)
        For one cycle, for each frame.
    """

    byte: Signal
    valid: Signal
    broken: Signal
    o: stream.Interface
    address: Signal
    last: Signal
    allowed: Signal
    write: Signal
    data: Signal
    read: Signal
    value: Signal
    accepted: Signal
    damaged: Signal

    def __init__(self, gap: int) -> None:
        self.gap = gap
        super().__init__(self.ports())

    @staticmethod
    def ports() -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "byte": In(8), "valid": In(1), "broken": In(1), "o": Out(stream.Signature(8)),
            "address": Out(32), "last": Out(24), "allowed": In(1),
            "write": Out(1), "data": Out(32), "read": Out(1), "value": In(32),
            "accepted": Out(1), "damaged": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.check = crc = CRC32_ETHERNET(data_width=8).create()
        m.submodules.buffer = kept = Memory(shape=32, depth=MOST_UNITS, init=[])
        keep, recall = kept.write_port(), kept.read_port()

        head = Signal(56)  # kind, sequence, count - 1, address
        kind, sequence, most = head[0:8], head[8:16], head[16:24]
        known = (kind == Kind.WRITE) | (kind == Kind.READ)
        place = Signal(range(8))  # byte of the head, of a unit, or of the CRC
        unit = Signal(range(MOST_UNITS))
        word = Signal(32)
        status = Signal(8)
        broken = Signal()
        quiet = Signal(range(self.gap + 1))
        wait = Signal(range(READ_CYCLES + 1))
        with m.If(self.valid):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != self.gap):
            m.d.sync += quiet.eq(quiet + 1)

        m.d.comb += [
            keep.addr.eq(unit),
            keep.data.eq(Cat(word[8:], self.byte)),
            recall.addr.eq(unit),
            self.last.eq(self.address[:24] + most),
        ]
        # A block's output comes late in a cycle: what is written spends one more in a register.
        m.d.sync += self.data.eq(recall.data)
        shifted = Cat(head[8:], self.byte)

        def send(byte: object, follow: str) -> None:
            """Send a byte that the CRC is of."""
            m.d.comb += [self.o.payload.eq(byte), self.o.valid.eq(1)]
            with m.If(self.o.ready):
                m.d.comb += [crc.data.eq(self.o.payload), crc.valid.eq(1)]
                m.next = follow

        def take(done: object, follow: str) -> None:
            """Take a byte into the CRC; leave for what follows, or where the frame is cut."""
            with m.If(self.valid):
                m.d.comb += [crc.data.eq(self.byte), crc.valid.eq(1)]
                m.d.sync += [place.eq(place + 1), broken.eq(broken | self.broken)]
                with m.If(done):
                    m.d.sync += place.eq(0)
                    m.next = follow
            with m.Elif(quiet == self.gap):
                m.next = "quiet"

        with m.FSM():
            with m.State("idle"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [place.eq(0), unit.eq(0), broken.eq(0)]
                with m.If(self.valid & ~self.broken & (self.byte == REQUEST)):
                    m.next = "head"
            with m.State("head"):
                take(place == 6, "headed")
                with m.If(self.valid):
                    m.d.sync += head.eq(shifted)
            with m.State("headed"):
                m.d.sync += self.address.eq(head[24:56])
                m.next = "data"
                with m.If(kind != Kind.WRITE):
                    m.next = "crc"
            with m.State("data"):
                take((place == 3) & (unit == most), "crc")
                with m.If(self.valid):
                    m.d.sync += word.eq(keep.data)
                    with m.If(place == 3):
                        m.d.comb += keep.en.eq(1)
                        m.d.sync += [place.eq(0), unit.eq(unit + 1)]
            with m.State("crc"):
                take(place == 3, "judge")
                m.d.sync += unit.eq(0)
            with m.State("judge"):
                m.next = "quiet"
                with m.If(crc.match_detected & ~broken):
                    m.d.comb += self.accepted.eq(1)
                    done = Mux(kind == Kind.READ, Status.DATA, Status.DONE)
                    m.d.sync += status.eq(Mux(known & self.allowed, done, Status.REFUSED))
                    m.next = "reply"
                    with m.If((kind == Kind.WRITE) & self.allowed):
                        m.next = "recall"
            with m.State("quiet"), m.If(quiet == self.gap):
                m.d.comb += self.damaged.eq(1)
                m.d.sync += status.eq(Status.DAMAGED)
                m.next = "reply"
            with m.State("recall"):
                m.next = "recalled"
            with m.State("recalled"):
                m.next = "write"
            with m.State("write"):
                m.d.comb += self.write.eq(1)
                m.d.sync += [self.address.eq(self.address + 1), unit.eq(unit + 1)]
                m.next = "recall"
                with m.If(unit == most):
                    m.next = "reply"
            with m.State("reply"):
                m.d.comb += [crc.start.eq(1), self.o.payload.eq(REPLY), self.o.valid.eq(1)]
                m.d.sync += unit.eq(0)
                with m.If(self.o.ready):
                    m.next = "reply_status"
            with m.State("reply_status"):
                send(status, "reply_sequence")
            with m.State("reply_sequence"):
                send(sequence, "reply_count")
            with m.State("reply_count"):
                m.d.sync += [place.eq(0), wait.eq(0)]
                send(most, "reply_crc")
                with m.If(self.o.ready & (status == Status.DATA)):
                    m.next = "read"
            with m.State("read"):
                m.d.comb += self.read.eq(1)
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == READ_CYCLES):
                    m.d.sync += [word.eq(self.value), wait.eq(0)]
                    m.d.sync += self.address.eq(self.address + 1)
                    m.next = "reply_data"
            with m.State("reply_data"):
                send(word[:8], "reply_data")
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word[8:]), place.eq(place + 1)]
                    with m.If(place == 3):
                        m.d.sync += [place.eq(0), unit.eq(unit + 1)]
                        m.next = "read"
                        with m.If(unit == most):
                            m.next = "reply_crc"
            with m.State("reply_crc"):
                m.d.sync += [word.eq(crc.crc), place.eq(0)]
                m.next = "reply_crc_bytes"
            with m.State("reply_crc_bytes"):
                m.d.comb += [self.o.payload.eq(word[:8]), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word[8:]), place.eq(place + 1)]
                    with m.If(place == 3):
                        m.next = "idle"
        return m
