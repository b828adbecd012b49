"""Verilog text of a system, with a design number by which a host knows it."""

from dataclasses import dataclass
from hashlib import sha256

from amaranth.lib import wiring

from fpga.frames import STREAMS
from fpga.gateware.fetcher import Drain, Fetcher
from fpga.gateware.link import Link
from fpga.gateware.parameters import BoardConfig, stream_bits
from fpga.gateware.registers import Registers
from fpga.gateware.store import Store
from fpga.gateware.system import System, fetcher_name
from fpga.gateware.uart import Receiver, Transmitter
from hwgen.config import HardwareConfig
from hwgen.emit import emit, emit_parts


@dataclass(frozen=True)
class Emitted:
    """The Verilog of a system.

    Attributes
    ----------
    design : int
        64 bits: a digest of all modules but that which says it.
    text : str
        The top module is ``system``: ``clk``, ``rst``, ``rx``, ``tx``, ``busy``.
    """

    design: int
    text: str


def system_verilog(config: HardwareConfig, board: BoardConfig) -> Emitted:
    """Return the Verilog of an engine with the memory and the link around it."""
    bits = stream_bits(config)
    parts: dict[str, wiring.Component] = {
        "receiver": Receiver(board.divisor),
        "transmitter": Transmitter(board.divisor),
        "link": Link(board.gap),
        "store": Store(board),
        "drain": Drain(board, bits["results"]),
        **{fetcher_name(name): Fetcher(board, bits[name]) for name in STREAMS},
        "system": System(config, board),
    }
    modules = emit(config) | emit_parts(parts, config)
    digest = sha256("\n".join(modules.values()).encode()).digest()
    design = int.from_bytes(digest[:8], "little")
    modules |= emit_parts({"registers": Registers(board, design)}, config)
    return Emitted(design, "\n".join(modules.values()))
