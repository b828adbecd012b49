"""The register map as files for hosts: Markdown, a C header, a Python module."""

from hwgen.config import HardwareConfig
from hwgen.registers import ACCESS, Register, register_map

HEAD = "Registers of the engine on AXI4-Lite, written by: python -m hwgen --bus axi -o DIR"


def register_table(config: HardwareConfig) -> str:
    """Return Markdown: every register, then the fields of those that have several."""
    rows = register_map(config)
    lines = ["# Registers", "", f"{HEAD}.", "", "Of 32 bits each, at offsets in bytes.", ""]
    lines += ["| offset | register | access | constant | meaning |", "|---|---|---|---|---|"]
    for row in rows:
        constant = "" if row.value is None else f"`0x{row.value:08x}`"
        lines.append(
            f"| `0x{row.address:03x}` | `{row.name}` | {row.access} | {constant} | {row.text} |"
        )
    lines += ["", *(f"- {name}: {text}" for name, text in ACCESS.items())]
    for row in rows:
        if _has_fields(row):
            lines += ["", f"## `{row.name}`", "", "| bits | field | meaning |", "|---|---|---|"]
            lines += [
                f"| {field.low + field.width - 1}:{field.low} | `{field.name}` | {field.text} |"
                for field in row.fields
            ]
    return "\n".join(lines) + "\n"


def c_header(config: HardwareConfig) -> str:
    """Return a C header: offsets, constants, and masks and lowest bits of fields."""
    lines = [f"/* {HEAD} */", "#ifndef PLANESMITH_REGISTERS_H", "#define PLANESMITH_REGISTERS_H"]
    for row in register_map(config):
        lines += ["", f"/* {row.text} ({ACCESS[row.access]}) */"]
        lines += [f"#define PLANESMITH_{name} {value}u" for name, value in _constants(row)]
    return "\n".join([*lines, "", "#endif", ""])


def python_module(config: HardwareConfig) -> str:
    """Return a Python module with the names and values of the C header."""
    lines = [f'"""{HEAD}."""']
    for row in register_map(config):
        lines += ["", f"# {row.text} ({ACCESS[row.access]})"]
        lines += [f"{name} = {value}" for name, value in _constants(row)]
    return "\n".join(lines) + "\n"


def _constants(row: Register) -> list[tuple[str, str]]:
    name = row.name.upper()
    found = [(name, f"0x{row.address:03x}")]
    if row.value is not None:
        found.append((f"{name}_VALUE", f"0x{row.value:08x}"))
    for field in row.fields if _has_fields(row) else ():
        part = f"{name}_{field.name.upper()}"
        found += [(part, f"0x{field.mask:08x}"), (f"{part}_BIT", str(field.low))]
    return found


def _has_fields(row: Register) -> bool:
    return row.fields[0].name != "value"
