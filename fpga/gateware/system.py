"""System: an engine, the memory that feeds it, and a serial line to a host."""

from amaranth import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Module,
    Mux,
    Signal,
    Value,
)
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out, connect

from fpga.frames import STREAMS, Region
from fpga.gateware.fetcher import Drain, Fetcher
from fpga.gateware.link import Link
from fpga.gateware.parameters import UNIT_BITS, BoardConfig, stream_bits
from fpga.gateware.registers import Registers
from fpga.gateware.store import LATENCY, Store, unit_of
from fpga.gateware.uart import Receiver, Transmitter
from hwgen.config import HardwareConfig
from hwgen.placed import Placed
from hwgen.top import Top
from hwgen.tree import delay

REGISTERS = 64
"""Addresses of registers."""


class System(wiring.Component):
    """Everything on a board but its clock and its pins.

    Members
    -------
    rx : In(1), tx : Out(1)
        The serial line.
    busy : Out(1)
        A run goes on.
    """

    rx: Signal
    tx: Signal
    busy: Signal

    def __init__(self, config: HardwareConfig, board: BoardConfig) -> None:
        self.config = config
        self.board = board
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        board, bits = self.board, stream_bits(self.config)
        m.submodules.receiver = receiver = Placed(Receiver.ports(), "receiver", "receiver")
        m.submodules.transmitter = sender = Placed(Transmitter.ports(), "transmitter", "sender")
        m.submodules.link = link = Placed(Link.ports(), "link", "link")
        m.submodules.registers = registers = Placed(
            Registers.ports(board), "registers", "registers"
        )
        m.submodules.store = store = Placed(Store.ports(board), "store", "store")
        engine = Placed(Top.ports(self.config), "top", "engine")
        m.submodules.engine = DomainRenamer("engine")(engine)
        m.domains.engine = own = ClockDomain("engine", local=True)
        m.submodules.drain = drain = Placed(Drain.ports(board, bits["results"]), "drain", "drain")
        fetchers = {
            name: Placed(Fetcher.ports(board, bits[name]), fetcher_name(name), name)
            for name in STREAMS
        }
        for name, fetcher in fetchers.items():
            m.submodules[f"fetch_{name}"] = fetcher

        writes = self._connect_link(m, receiver, sender, link, registers, store)
        connect(m, engine.o, drain.i)
        streams = {name: getattr(engine, f"i_{name}") for name in STREAMS}
        streams["layers"] = self._queue(m, streams["layers"])
        for number, (name, fetcher) in enumerate(fetchers.items()):
            given = registers.slices[number]
            m.d.comb += [
                fetcher.start.eq(registers.start),
                fetcher.stop.eq(registers.stop),
                fetcher.first.eq(given.first),
                fetcher.end.eq(given.end),
                fetcher.passes.eq(given.passes),
                fetcher.beat.eq(store.beat),
                streams[name].payload.eq(fetcher.o.payload),
                streams[name].valid.eq(fetcher.o.valid),
                fetcher.o.ready.eq(streams[name].ready),
            ]
        passed = [words.valid & words.ready for words in (*streams.values(), engine.o)]
        weights = engine.i_weights
        m.d.comb += [
            own.clk.eq(ClockSignal()),
            own.rst.eq(registers.stop),
            drain.start.eq(registers.start),
            drain.first.eq(registers.results),
        ]
        m.d.sync += [
            registers.moved.eq(Cat(passed).any()),
            registers.starved.eq(weights.ready & ~weights.valid),
            registers.stalled.eq(engine.o.valid & ~engine.o.ready),
            registers.vector.eq(passed[-1] & engine.o.p["last"]),
        ]
        m.d.comb += registers.drained.eq(~drain.wanted)
        self._share(m, link, writes, drain, list(fetchers.values()), store)
        return m

    @staticmethod
    def _queue(m: Module, layers: stream.Interface) -> stream.Interface:
        """Return what takes layers for the engine, and holds two.

        Whether the engine takes one depends on all that its next step needs: too late for a fetcher
        to hear of in the same cycle.
        """
        bits = len(Value.cast(layers.payload))
        queue = SyncFIFO(width=bits, depth=2)
        m.submodules.queue = DomainRenamer("engine")(queue)
        connect(m, queue.r_stream, layers)
        return queue.w_stream

    def _connect_link(
        self, m: Module, receiver: Placed, sender: Placed, link: Placed, registers: Placed,
        store: Placed,
    ) -> Value:  # fmt: skip
        """Bytes to requests, and requests to registers and to units of the memory.

        A request's region is there long before it acts, and registers have time: they hear of both
        a cycle later. Return whether a unit of the memory is written.
        """
        connect(m, link.o, sender.i)
        region, number = link.address[24:], link.address[:24]
        of_registers = delay(m, "of_registers", region == Region.REGISTERS)
        of_store = delay(m, "of_store", region == Region.STORE)
        units = self.board.depth * self.board.banks
        there = Mux(of_registers, link.last < REGISTERS, of_store & (link.last < units))
        value = Signal(UNIT_BITS)
        unit = unit_of(store.beat, link.address[: (self.board.banks - 1).bit_length()])
        m.d.sync += [
            link.allowed.eq(there & (number <= link.last)),
            value.eq(Mux(of_registers, registers.value, unit)),
        ]
        m.d.comb += [
            receiver.line.eq(self.rx),
            self.tx.eq(sender.line),
            link.byte.eq(receiver.byte),
            link.valid.eq(receiver.valid),
            link.broken.eq(receiver.broken),
            link.value.eq(value),
            registers.number.eq(delay(m, "number", link.address[: len(registers.number)])),
            registers.write.eq(delay(m, "writes_register", link.write & of_registers)),
            registers.data.eq(link.data),
            registers.accepted.eq(link.accepted),
            registers.damaged.eq(link.damaged),
        ]
        return link.write & of_store

    def _share(
        self, m: Module, link: Placed, writes: Value, drain: Placed, fetchers: list[Placed],
        store: Placed,
    ) -> None:  # fmt: skip
        """Grant the memory to one of those that want it: the host, results, then streams.

        The host's requests come a cycle later: all grants wait for them, and lie far from the link.
        """
        low = (self.board.banks - 1).bit_length()
        place = Signal(self.board.banks)  # of the unit that the host writes
        beat = Signal(24 - low)  # of the host
        host = Signal()
        there = Const(1, self.board.banks) << link.address[:low]
        m.d.sync += [
            host.eq(writes | link.read),
            beat.eq(link.address[low:24]),
            place.eq(Mux(writes, there, 0)),
        ]
        taken: Value = host
        arriving = Signal(len(fetchers) * LATENCY)
        granted = Signal(len(fetchers))
        m.d.sync += arriving.eq(Cat(granted, arriving))

        m.d.comb += drain.granted.eq(drain.wanted & ~taken)
        taken = taken | drain.wanted
        for number, fetcher in enumerate(fetchers):
            m.d.comb += fetcher.granted.eq(fetcher.wanted & ~taken)
            m.d.comb += granted[number].eq(fetcher.granted)
            m.d.comb += fetcher.arrived.eq(arriving[-len(fetchers) + number])
            taken = taken | fetcher.wanted
        picked: Value = fetchers[-1].address
        for fetcher in reversed(fetchers[:-1]):
            picked = Mux(fetcher.wanted, fetcher.address, picked)
        picked = Mux(drain.wanted, drain.address, picked)
        m.d.comb += [
            store.address.eq(Mux(host, beat, picked)),
            store.write.eq(Mux(host, place, drain.granted.replicate(self.board.banks))),
            store.data.eq(Mux(host, link.data.replicate(self.board.banks), drain.data)),
        ]


def fetcher_name(stream: str) -> str:
    """Return the name of the module that fetches a stream's words."""
    return f"{stream}_fetcher"
