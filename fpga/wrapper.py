"""Wrapper: a core without pins, so that these do not limit it, at a cost that is known exactly."""

from dataclasses import dataclass

LONGEST = 1024
"""Steps of the shift register: some tools follow it by recursion."""


@dataclass(frozen=True)
class Port:
    """A port of a core, other than its clock.

    Attributes
    ----------
    name : str
    width : int
    output : bool
    """

    name: str
    width: int
    output: bool


@dataclass(frozen=True)
class Wrapper:
    """A module ``wrapper`` around a core.

    All inputs come from a shift register with an enable, of at most ``LONGEST`` steps, and all
    outputs are registered and folded into one pin by registered XORs of four.

    Attributes
    ----------
    text : str
        Verilog.
    lut4, registers : int
        What it adds to the core.
    """

    text: str
    lut4: int
    registers: int


def wrap(core: str, ports: list[Port], clock: str = "clk") -> Wrapper:
    """Wrap a core.

    Parameters
    ----------
    core : str
        Name of its module.
    """
    inputs = [port for port in ports if not port.output]
    outputs = [port for port in ports if port.output]
    wide_in, wide_out = sum(p.width for p in inputs), sum(p.width for p in outputs)
    places = _places(inputs, "into") + _places(outputs, "from_core")
    pins = -(-wide_in // LONGEST)
    lines = [
        f"module wrapper(input clk, input [{pins - 1}:0] serial, input enable, output folded);",
        f"  reg [{wide_in - 1}:0] into;",
        "  always @(posedge clk) if (enable) into <= {into, serial};",
        f"  wire [{wide_out - 1}:0] from_core;",
        f"  reg [{wide_out - 1}:0] fold_0;",
        "  always @(posedge clk) fold_0 <= from_core;",
        f"  {core} core(.{clock}(clk), {', '.join(places)});",
    ]
    width, level, lut4, registers = wide_out, 0, 0, wide_in + wide_out
    while width > 1:
        parts = [(low, min(low + 4, width)) for low in range(0, width, 4)]
        lines.append(f"  reg [{len(parts) - 1}:0] fold_{level + 1};")
        lines += [
            f"  always @(posedge clk) fold_{level + 1}[{n}] <= ^fold_{level}[{high - 1}:{low}];"
            for n, (low, high) in enumerate(parts)
        ]
        lut4 += sum(high - low > 1 for low, high in parts)
        registers += len(parts)
        width, level = len(parts), level + 1
    lines += [f"  assign folded = fold_{level};", "endmodule", ""]
    return Wrapper("\n".join(lines), lut4, registers)


def _places(ports: list[Port], bus: str) -> list[str]:
    """Connect ports to a bus, one after the other."""
    places, low = [], 0
    for port in ports:
        places.append(f".{port.name}({bus}[{low + port.width - 1}:{low}])")
        low += port.width
    return places
