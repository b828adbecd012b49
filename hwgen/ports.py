"""Port table of a configuration, for whoever connects the circuit."""

from typing import Any

from amaranth import Shape
from amaranth.lib import data
from amaranth.lib.wiring import Out

from hwgen.axi_stream import word_layouts
from hwgen.config import HardwareConfig
from hwgen.top import Top
from hwgen.top_axi import TopAxi


def port_table(config: HardwareConfig) -> str:
    """Return Markdown: every port of the outermost module, and the fields of every payload.

    Integers are named signed or unsigned; other fields are bits, or count from 0.
    """
    lines = [f"# Ports of `{config.top}`", "", "| port | direction | bits |", "|---|---|---|"]
    layouts: dict[str, data.Layout] = {}
    if config.bus == "axi":
        ports = TopAxi.ports(config)
        layouts = {f"TDATA of {name}": layout for name, layout in word_layouts(config).items()}
    else:
        ports = Top.ports(config)
        lines += ["| `clk` | input | 1 |", "| `rst` (synchronous) | input | 1 |"]
    for path, member, value in ports.flatten(ports.create()):
        name, flow = "__".join(map(str, path)), "output" if member.flow == Out else "input"
        if isinstance(member.shape, data.Layout):
            layouts[name] = member.shape
            lines.append(f"| `{name}` | {flow} | {member.shape.size} |")
        else:
            lines.append(f"| `{name}` | {flow} | {len(value)} |")
    for name, layout in layouts.items():
        lines += ["", f"## `{name}`", "", "| bits | field |", "|---|---|"]
        lines += [f"| {low + width - 1}:{low} | {field} |" for field, low, width in _fields(layout)]
    return "\n".join(lines) + "\n"


def _fields(layout: data.Layout, prefix: str = "", base: int = 0) -> list[tuple[str, int, int]]:
    """Return the name, lowest bit and width of each field; of an array, the first and last."""
    if isinstance(layout, data.ArrayLayout):
        first, last = layout[0], layout[layout.length - 1]
        named = f"{prefix}[0..{layout.length - 1}], {first.width} bits each"
        if not isinstance(layout.elem_shape, data.Layout):
            return [(named + _sign(layout.elem_shape), base, last.offset + last.width)]
        inner = _fields(layout.elem_shape, f"{prefix}[0]", base)
        return [(named, base, last.offset + last.width), *inner]
    found = []
    for key, field in layout:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(field.shape, data.Layout):
            found += _fields(field.shape, name, base + field.offset)
        else:
            found.append((name + _sign(field.shape), base + field.offset, field.width))
    return found


def _sign(shape: Any) -> str:
    """Return what a layout says of a number's sign."""
    return (", signed" if shape.signed else ", unsigned") if isinstance(shape, Shape) else ""
