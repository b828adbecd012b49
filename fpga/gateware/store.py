"""Store: the memory of a board, of one port, that the host, the fetcher and the drain share."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from fpga.gateware.parameters import UNIT_BITS, BoardConfig

LATENCY = 4
"""Cycles from an address to its beat."""


class Store(wiring.Component):
    """Read or write a beat a cycle, in banks of one unit each.

    Members
    -------
    address : In
        Of a beat.
    write : In(``banks``)
        Which units of it to write, after the cycle; none to read.
    data : In(``beat_bits``)
    beat : Out(``beat_bits``)
        What is at the address of ``LATENCY`` cycles ago.
    """

    address: Signal
    write: Signal
    data: Signal
    beat: Signal

    def __init__(self, board: BoardConfig) -> None:
        self.board = board
        super().__init__(self.ports(board))

    @staticmethod
    def ports(board: BoardConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "address": In(board.address_bits),
            "write": In(board.banks),
            "data": In(board.beat_bits),
            "beat": Out(board.beat_bits),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address = Signal(self.board.address_bits)
        write = Signal(self.board.banks)
        data = Signal(self.board.beat_bits, reset_less=True)
        near = Signal(self.board.beat_bits, reset_less=True)  # to the banks, which lie far apart
        m.d.sync += [address.eq(self.address), write.eq(self.write), data.eq(self.data)]
        for number in range(self.board.banks):
            part = slice(number * UNIT_BITS, (number + 1) * UNIT_BITS)
            bank = Memory(shape=UNIT_BITS, depth=self.board.depth, init=[])
            m.submodules[f"bank_{number}"] = bank
            writing, reading = bank.write_port(), bank.read_port()
            m.d.comb += [
                writing.addr.eq(address),
                writing.data.eq(data[part]),
                writing.en.eq(write[number]),
                reading.addr.eq(address),
                reading.en.eq(~write[number]),
            ]
            m.d.sync += [near[part].eq(reading.data), self.beat[part].eq(near[part])]
        return m


def unit_of(beat: Signal, number: Signal) -> object:
    """Return a unit of a beat by number."""
    units = [beat[low : low + UNIT_BITS] for low in range(0, len(beat), UNIT_BITS)]
    return Array(Cat(unit) for unit in units)[number]
