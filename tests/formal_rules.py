"""Rules of streams and queues as Verilog with assertions, and the circuit small enough for them."""

from amaranth.lib import data, wiring

from hwgen.config import HardwareConfig
from hwgen.emit import emit_parts

TINY = HardwareConfig(
    k=2, pe=1, lanes=1, act_bits=2, columns=3, rows=2, coef_bits=2, acc_bits=8, weight_words=2,
    requantize_bits=2, bus="axi", stream_bits=8,
)  # fmt: skip

HEAD = """\
reg started = 0;
always @(posedge clk) started <= 1;
always @* assume (rst == !started);
"""
"""One cycle of reset, then none."""


def modules(parts: dict[str, wiring.Component]) -> dict[str, str]:
    """Return the Verilog of components, each with the modules inside it."""
    text = emit_parts(parts, TINY)
    return {
        name: "".join(text[part] for part in text if part == name or part.startswith(f"{name}_"))
        for name in parts
    }


def rule(name: str, valid: str, ready: str, payload: str, bits: int, what: str) -> str:
    """Return the rule of streams: what is valid stays, with its payload, until it is ready."""
    return f"""\
reg waits_{name} = 0;
reg [{bits - 1}:0] held_{name};
always @(posedge clk) begin
  waits_{name} <= started && {valid} && !{ready};
  held_{name} <= {payload};
end
always @* if (waits_{name}) {what} ({valid} && {payload} == held_{name});
"""


def order(put: str, given: str, get: str, got: str, bits: int, most: int) -> str:
    """Return the rule of queues: what was put in comes out, once, in order, and nothing else.

    A word that is chosen freely is followed on its way, at most ``most`` words long.
    """
    return f"""\
reg [7:0] inside = 0, ahead = 0;
reg followed = 0;
reg [{bits - 1}:0] word;
always @(posedge clk) if (started) begin
  inside <= inside + ({put}) - ({get});
  if (!followed && ({put}) && follow) begin
    followed <= 1; word <= {given}; ahead <= inside - ({get});
  end else if (followed && ({get})) begin
    if (ahead == 0) followed <= 0; else ahead <= ahead - 1;
  end
end
always @* if (started) begin
  assert (inside <= {most});
  if ({get}) assert (inside != 0);
  if (followed && ({get}) && ahead == 0) assert ({got} == word);
end
"""


def soon(waits: str, comes: str, cycles: int) -> str:
    """Return that something comes within so many cycles of a wait."""
    return f"""\
reg [7:0] patience = 0;
always @(posedge clk) patience <= started && ({waits}) && !({comes}) ? patience + 1 : 0;
always @* assert (patience <= {cycles});
"""


def fields_of(signal: str, layout: data.StructLayout) -> str:
    """Return a wire for each field of a packed signal that is a number."""
    return "\n".join(
        f"wire [{field.width - 1}:0] {signal}_{name} = "
        f"{signal}[{field.offset + field.width - 1}:{field.offset}];"
        for name, field in layout
    )
