"""Activation buffer: holds one input vector while the next one comes in."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.counting import counted
from hwgen.layouts import activation_layout, digit_layout, width_of
from hwgen.memories import word_memory


def stored_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe a stored word: digits of all lanes, the top one in the bits that are left for it."""
    left = config.act_bits - config.digit * (config.digits - 1)
    top = signed(left) if config.act_signed else unsigned(left)
    lower = data.ArrayLayout(config.digit, config.lanes)
    return data.StructLayout({
        "lower": data.ArrayLayout(lower, config.digits - 1),
        "top": data.ArrayLayout(top, config.lanes),
        "exponent": config.exponents.bit_length(),
    })


class ActivationBuffer(wiring.Component):
    """Two banks of activation words: one is read, as often as need be, while the other fills.

    A vector's words are claimed in order the first time that they are read, and then read as often
    as need be. A word that came in is available in the next cycle, so reading may follow closely.

    Members
    -------
    i : In(stream of ``activation_layout(config)``)
        The word marked ``last`` completes the vector; the next word begins another.
    available : Out(1)
        A word of the vector that is read has come in that nobody claimed.
    claim : In(1)
        Claim it; only while ``available``.
    address : In, read : In(1)
        Fetch a word that was claimed, now or before; ``digits`` follow by one cycle and stay until
        the next.
    done : In(1)
        The vector is not needed any more after this cycle.
    digits : Out(``digits`` times ``digit_layout(config)``)
        Digit ``n`` of each activation, ``n = 0`` the lowest. Where the activation has too few bits
        for its top digit, that is extended.
    exponent : Out
        With ``exponents``: that of the word; it comes and stays with the digits.
    """

    i: stream.Interface
    available: Signal
    claim: Signal
    address: Signal
    read: Signal
    done: Signal
    digits: data.View
    exponent: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        ports = {
            "i": In(stream.Signature(activation_layout(config))),
            "available": Out(1),
            "claim": In(1),
            "address": In(width_of(config.buffer_words - 1)),
            "read": In(1),
            "done": In(1),
            "digits": Out(data.ArrayLayout(digit_layout(config), config.digits)),
        }
        if config.exponents:
            ports["exponent"] = Out(width_of(config.exponents))
        return Signature(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth = config.buffer_words

        count = [Signal(width_of(depth), name=f"count_{bank}") for bank in range(2)]
        room = [Signal(name=f"room_{bank}", init=1) for bank in range(2)]
        write_bank = Signal()
        read_bank = Signal()
        write_count = Mux(write_bank, count[1], count[0])
        take = Signal()

        address_bits = len(self.address)
        layout = stored_layout(config)
        write, read = word_memory(m, layout.size, 2 << address_bits)

        values = self.i.p["values"]
        written = data.View(layout, write.data)
        stored = data.View(layout, read.data)
        for lane in range(config.lanes):
            for number in range(config.digits - 1):
                start = number * config.digit
                part = values[lane][start : start + config.digit]
                m.d.comb += written["lower"][number][lane].eq(part)
                m.d.comb += self.digits[number][lane].eq(stored["lower"][number][lane])
            m.d.comb += written["top"][lane].eq(values[lane][config.digit * (config.digits - 1) :])
            m.d.comb += self.digits[-1][lane].eq(stored["top"][lane])
        if config.exponents:
            m.d.comb += written["exponent"].eq(self.i.p["exponent"])
            m.d.comb += self.exponent.eq(stored["exponent"])
        m.d.comb += [
            self.i.ready.eq(Mux(write_bank, room[1], room[0])),
            take.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(write_count[:address_bits], write_bank)),
            write.en.eq(take),
            read.addr.eq(Cat(self.address, read_bank)),
            read.en.eq(self.read),
        ]

        there = []
        for bank in range(2):
            comes = take & (write_bank == bank)
            goes = self.claim & (read_bank == bank)
            frees = self.done & (read_bank == bank)
            there.append(counted(m, f"unclaimed_{bank}", depth, comes, goes, clear=frees))
            with m.If(comes):
                m.d.sync += count[bank].eq(write_count + 1)
                m.d.sync += room[bank].eq(~self.i.p["last"] & (count[bank] != depth - 1))
            with m.If(frees):
                m.d.sync += count[bank].eq(0)
                m.d.sync += room[bank].eq(1)
        m.d.comb += self.available.eq(Mux(read_bank, there[1], there[0]))
        m.d.sync += write_bank.eq(write_bank ^ (take & self.i.p["last"]))
        m.d.sync += read_bank.eq(read_bank ^ self.done)

        return m
