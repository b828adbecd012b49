"""Units beside the engine, each a module of its own with streams: ``python -m hwgen.units``."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields

from amaranth.lib import wiring

from hwgen.coefficients import CoefficientTable
from hwgen.config import HardwareConfig, parameter
from hwgen.emit import emit_parts
from hwgen.flags import add_config_flags, config_from
from hwgen.hadamard import Hadamard
from hwgen.link import Link
from hwgen.matrix import Matrix
from hwgen.repeat import Repeat
from hwgen.trits import Unpacker
from models.checks import require
from models.cli import Parser, nearest, run

PROGRAM = "python -m hwgen.units"


@dataclass(frozen=True)
class UnitConfig:
    """What units take besides the circuit that they serve."""

    block: int = parameter(64, "codes of a block that is transformed")
    samples: int = parameter(128, "samples that a block becomes, by repeat or matrix")
    shift: int = parameter(8, "by which a transformed code is shifted")
    bits: int = parameter(8, "bits of a transformed code")
    entries: int = parameter(256, "most entries of a table of coefficients")
    bytes: int = parameter(8, "bytes of packed ternary weights a cycle")

    def __post_init__(self) -> None:
        for name, low, high in (
            ("block", 1, 1 << 12), ("samples", 1, 1 << 12), ("shift", 0, 32), ("bits", 2, 16),
            ("entries", 1, 1 << 16), ("bytes", 1, 1 << 12),
        ):  # fmt: skip
            value = getattr(self, name)
            require(low <= value <= high, name, f"be from {low} to {high}", value)


def _hadamard(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    Hadamard.check(config.lanes, unit.block)
    return Hadamard(config.lanes, unit.block, config.act_bits, unit.shift, unit.bits)


def _repeat(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    return Repeat(config.lanes, unit.block, unit.samples, config.act_bits, unit.bits)


def _matrix(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    return Matrix(config.lanes, unit.block, unit.samples, config.act_bits, unit.shift, unit.bits)


def _table(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    return CoefficientTable(config, unit.entries)


def _link(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    config.check_link()
    return Link(config)


def _unpacker(config: HardwareConfig, unit: UnitConfig) -> wiring.Component:
    Unpacker.check(config)
    return Unpacker(config, unit.bytes)


UNITS: dict[str, Callable[[HardwareConfig, UnitConfig], wiring.Component]] = {
    "hadamard": _hadamard,
    "upsampler": _repeat,
    "matrix": _matrix,
    "coefficients": _table,
    "link": _link,
    "unpacker": _unpacker,
}
"""Makers by name; codes that are transformed have the circuit's ``act_bits``."""


def unit_verilog(name: str, config: HardwareConfig, unit: UnitConfig) -> str:
    """Return the Verilog text of a unit; its top module has the unit's name.

    Raises
    ------
    ValueError
        There is no such unit, or not for this circuit.
    """
    require(name in UNITS, "unit", f"be a known one ({nearest(name, UNITS)})", name)
    return "\n".join(emit_parts({name: UNITS[name](config, unit)}, config).values())


def main() -> None:
    """Write the Verilog of one unit to standard output."""
    parser = Parser(
        prog=PROGRAM,
        description="Write the Verilog of a unit beside the circuit to standard output.",
        epilog="example: python -m hwgen.units hadamard --lanes 32 --block 128 > rtl/hadamard.v",
    )
    parser.add_argument("unit", metavar="UNIT", help=f"one of {', '.join(UNITS)}")
    group = parser.add_argument_group("unit")
    for field in fields(UnitConfig):
        text = f"{field.metadata['help']} (default: {field.default})"
        group.add_argument(f"--{field.name}", type=int, default=field.default, metavar="N",
                           help=text)  # fmt: skip
    add_config_flags(parser)
    arguments = parser.parse_args()
    unit = UnitConfig(**{
        field.name: getattr(arguments, field.name) for field in fields(UnitConfig)
    })
    sys.stdout.write(unit_verilog(arguments.unit, config_from(arguments), unit))


if __name__ == "__main__":
    run(PROGRAM, main)
