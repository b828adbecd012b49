"""Flags that several commands share, and what they stand for."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.config import HardwareConfig
from hwgen.flags import settings_from
from models.checks import require
from models.store import BitplaneFile
from sim.fit import fitted
from sim.host import Host
from sim.memory import Memory
from sim.parts import memory_of
from sim.system import Duty


@dataclass(frozen=True)
class System:
    """The surroundings of a circuit: its clock in Hz, its memory, and the host."""

    clock: float
    memory: Memory
    host: Host

    def speed(self, duties: Sequence[Duty]) -> float:
        """Return passes a second."""
        return self.clock / sum(duty.cycles for duty in duties)

    def __str__(self) -> str:
        sustained = self.memory.sustained * self.clock / 1e9
        return f"{self.clock / 1e6:g} MHz, {sustained:.2f} GB/s"


def add_system_flags(parser: ArgumentParser) -> None:
    """Add the flags of a system."""
    group = parser.add_argument_group("system")
    group.add_argument("--clock", type=float, default=200.0, metavar="MHZ",
                       help="of the circuit (default: 200)")  # fmt: skip
    group.add_argument("--bandwidth", type=float, default=3.2, metavar="GB/S",
                       help="of a memory without latency (default: 3.2)")  # fmt: skip
    group.add_argument("--memory", metavar="PART", help="a memory part in its place")
    group.add_argument("--host-rate", type=float, default=Host.rate, metavar="N",
                       help="floating-point operations a cycle of whoever does norms, attention "
                       "and the like (default: %(default)g)")  # fmt: skip
    group.add_argument("--kv-bits", type=int, default=Host.kv_bits, metavar="N",
                       help="bits of a key or value in the cache (default: 16)")  # fmt: skip


def system_from(arguments: Namespace) -> System:
    """Return the system that the flags describe."""
    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.bandwidth > 0, "bandwidth", "be above 0 GB/s", arguments.bandwidth)
    require(arguments.kv_bits in (4, 8, 16, 32), "kv_bits", "be 4, 8, 16 or 32", arguments.kv_bits)
    clock = arguments.clock * 1e6
    memory = memory_of(arguments.memory, arguments.bandwidth * 1e9, clock)
    return System(clock, memory, Host(arguments.host_rate, kv_bits=arguments.kv_bits))


def file_config(arguments: Namespace, file: BitplaneFile) -> HardwareConfig:
    """Return the circuit of the flags, fitted to the layers of a file."""
    require(len(file.names) > 0, str(file.path), "hold a layer", "none")
    return fitted(map(file.layer, file.names), settings_from(arguments))


def source_of(arguments: Namespace, file: BitplaneFile) -> str:
    """Return where the model of a file comes from: ``--model``, or what the file names."""
    source = arguments.model or file.info.get("model")
    if not source:
        raise ValueError(f"--model must be given, as {file.path} names none")
    return source
