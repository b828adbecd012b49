"""Flags that several commands share, and what they stand for."""

from argparse import ArgumentParser, Namespace

from hwgen.config import HardwareConfig
from hwgen.flags import settings_from
from models.checks import require
from models.store import BitplaneFile
from sim.fit import fitted
from sim.memory import Memory


def add_system_flags(parser: ArgumentParser) -> None:
    """Add the flags of the clock and the memory of a system."""
    group = parser.add_argument_group("system")
    group.add_argument("--clock", type=float, default=200.0, metavar="MHZ",
                       help="of the circuit (default: 200)")  # fmt: skip
    group.add_argument("--bandwidth", type=float, default=3.2, metavar="GB/S",
                       help="of a memory without latency (default: 3.2)")  # fmt: skip
    group.add_argument("--memory", metavar="PART", help="a memory part in its place")


def system_from(arguments: Namespace) -> tuple[float, Memory]:
    """Return the clock in Hz and the memory that the flags describe."""
    from sim.system import memory_of

    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.bandwidth > 0, "bandwidth", "be above 0 GB/s", arguments.bandwidth)
    clock = arguments.clock * 1e6
    return clock, memory_of(arguments.memory, arguments.bandwidth * 1e9, clock)


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
