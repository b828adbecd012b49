"""Activation buffer: holds one input vector while the next one comes in."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import activation_layout, width_of


class ActivationBuffer(wiring.Component):
    """Two banks of activation words: one is read, as often as need be, while the other fills.

    A word that came in is available in the next cycle, so reading may follow writing closely.

    Members
    -------
    i : In(stream of ``activation_layout(config)``)
        The word marked ``last`` completes the vector; the next word begins another.
    address : In
        Word of the vector that is read.
    available : Out(1)
        That word has come in.
    read : In(1)
        Fetch it; ``planes`` follow by one cycle and stay until the next.
    done : In(1)
        The vector is not needed any more after this cycle.
    planes : Out(``act_bits`` planes of ``lanes`` bits)
        Bit ``b`` of each activation in plane ``b``.
    """

    i: stream.Interface
    address: Signal
    available: Signal
    read: Signal
    done: Signal
    planes: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i": In(stream.Signature(activation_layout(config))),
            "address": In(width_of(config.buffer_words - 1)),
            "available": Out(1),
            "read": In(1),
            "done": In(1),
            "planes": Out(config.act_bits * config.lanes),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth = config.buffer_words

        count = [Signal(width_of(depth), name=f"count_{bank}") for bank in range(2)]
        full = [Signal(name=f"full_{bank}") for bank in range(2)]
        write_bank = Signal()
        read_bank = Signal()
        write_count = Mux(write_bank, count[1], count[0])
        read_count = Mux(read_bank, count[1], count[0])
        take = Signal()

        address_bits = len(self.address)
        word_bits = config.act_bits * config.lanes
        m.submodules.words = words = Memory(shape=word_bits, depth=2 << address_bits, init=[])
        write = words.write_port()
        read = words.read_port()

        values = self.i.p["values"]
        planes = Cat(
            Cat(values[lane][bit] for lane in range(config.lanes)) for bit in range(config.act_bits)
        )
        m.d.comb += [
            self.i.ready.eq(~Mux(write_bank, full[1], full[0]) & (write_count != depth)),
            take.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(write_count[:address_bits], write_bank)),
            write.data.eq(planes),
            write.en.eq(take),
            self.available.eq(read_count > self.address),
            read.addr.eq(Cat(self.address, read_bank)),
            read.en.eq(self.read),
            self.planes.eq(read.data),
        ]

        for bank in range(2):
            with m.If(take & (write_bank == bank)):
                m.d.sync += count[bank].eq(write_count + 1)
                m.d.sync += full[bank].eq(self.i.p["last"])
            with m.If(self.done & (read_bank == bank)):
                m.d.sync += count[bank].eq(0)
                m.d.sync += full[bank].eq(0)
        m.d.sync += write_bank.eq(write_bank ^ (take & self.i.p["last"]))
        m.d.sync += read_bank.eq(read_bank ^ self.done)

        return m
