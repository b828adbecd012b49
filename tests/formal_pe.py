"""Specification of a processing element as Verilog with assertions, for the prover.

It multiplies and adds as the arithmetic says, with no tree, and knows only the ports, the latency,
and how a row's weights are written. What rows share before it, lut's tables of the digits, is
built by the circuit's own builder and is part of the proof.
"""

from amaranth import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.config import HardwareConfig
from hwgen.ecp5 import MODEL
from hwgen.emit import emit_parts
from hwgen.layouts import digit_layout, operand_layout
from hwgen.patterns import code_bits, patterns
from hwgen.pe import ProcessingElement
from hwgen.tables import operands
from hwgen.weights import row_layout


class Operands(wiring.Component):
    """Operands of elements from digits, as the array makes them.

    Members
    -------
    digits : In(``digit_layout(config)``)
    built : Out(``operand_layout(config)``)
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__({
            "digits": In(digit_layout(config)),
            "built": Out(operand_layout(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.built.as_value().eq(operands(m, self.digits, self.config))
        return m


def operands_of(config: HardwareConfig) -> str:
    """Return the Verilog of what elements get of digits."""
    return emit_parts({"operands": Operands(config)}, config)["operands"]


def element_of(config: HardwareConfig) -> str:
    """Return the Verilog of an element, without the cells that it is made of."""
    return emit_parts({"pe": ProcessingElement(config)}, config)["pe"]


def checked(element: str, config: HardwareConfig, shared: str = "") -> str:
    """Return the Verilog of an element in a module ``check`` with the specification.

    Induction over ``depth + 4`` cycles needs the sum so far and the held weights, so both are
    made ports.

    Parameters
    ----------
    element, shared : str
        Verilog of ``element_of`` and, unless it is the circuit's, of ``operands_of``.
    """
    term, dot = _term_bits(config), config.dot_bits
    head, _, body = element.partition(");")
    seen = "dot" if config.digits > 1 else "0"
    ports = (
        f"  output [{term - 1}:0] seen_term;\n  assign seen_term = term;\n"
        f"  output [{dot - 1}:0] seen_dot;\n  assign seen_dot = {seen};\n"
    )
    model = MODEL.replace("`ifndef SYNTHESIS\n", "").replace("`endif\n", "")
    cells = model if config.mapping == "ecp5" else ""
    shared = shared or operands_of(config)
    return f"{head}, seen_term, seen_dot);\n{ports}{body}{cells}{shared}{_specification(config)}"


def _term_bits(config: HardwareConfig) -> int:
    return row_layout(config).size // config.weights


def _product(config: HardwareConfig, lane: int) -> str:
    """Return the product of a lane's weight and digit."""
    digit = f"digit_{lane}"
    if config.kind != "lut":
        product = f"(term[{lane}] ? {digit} : zero)"
        return _turned(product, config.lanes, lane, config)
    group, place = divmod(lane, config.table)
    width, product = code_bits(config), "zero"
    for code, weights in enumerate(patterns(config)):
        if weights[place]:
            value = digit if weights[place] > 0 else f"-{digit}"
            product = f"(code_{group} == {code} ? {value} : {product})"
    return _turned(product, config.table_groups * width, group, config)


def _turned(product: str, base: int, number: int, config: HardwareConfig) -> str:
    """Negate where the signs on the way to the root are odd."""
    if not config.signed_weights:
        return product
    signs = [f"term[{base}]"]
    while number:
        signs.append(f"term[{base + number}]")
        number &= number - 1
    return f"(({' ^ '.join(signs)}) ? -{product} : {product})"


def _code_lines(config: HardwareConfig) -> list[str]:
    """Return declarations of lut's codes, of which there are as many as patterns."""
    width, lines = code_bits(config), []
    for group in range(config.table_groups if config.kind == "lut" else 0):
        place = f"{(group + 1) * width - 1}:{group * width}"
        lines.append(f"wire [{width - 1}:0] code_{group} = term[{place}];")
        lines.append(f"always @* assume (code_{group} < {len(patterns(config))});")
    return lines


def _digit_lines(config: HardwareConfig) -> list[str]:
    """Return declarations of the digits as signed numbers."""
    shape = Shape.cast(digit_layout(config).elem_shape)
    lines = []
    for lane in range(config.lanes):
        bits = f"digit[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"
        value = f"$signed({bits})" if shape.signed else f"$signed({{1'b0, {bits}}})"
        lines.append(f"wire signed [{config.dot_bits - 1}:0] digit_{lane} = {value};")
    return lines


def _chosen(config: HardwareConfig) -> str:
    """Return the weights that the mask chooses."""
    term = _term_bits(config)
    words = [f"weights[{(n + 1) * term - 1}:{n * term}]" for n in range(config.weights)]
    if config.weights == 1:
        return "weights"
    if config.kind == "popcount":
        return " & ".join(f"({word} | ~{{{term}{{mask[{n}]}}}})" for n, word in enumerate(words))
    return " | ".join(f"({word} & {{{term}{{mask[{n}]}}}})" for n, word in enumerate(words))


def _specification(config: HardwareConfig) -> str:
    number = f"signed [{config.dot_bits - 1}:0]"
    shape = Shape.cast(digit_layout(config).elem_shape)
    products = " + ".join(_product(config, lane) for lane in range(config.lanes))
    top = "-partial" if config.digit == 1 and config.act_signed else "partial"
    stages = range(config.depth + 1)
    lines = [
        f"module check(input clk, rst, input [{row_layout(config).size - 1}:0] weights,",
        f"  input [{config.weights - 1}:0] mask, input [{shape.width * config.lanes - 1}:0] digit,",
        "  input term_load, valid, first, last);",
        f"wire {number} sum, seen_dot, zero = 0;",
        f"wire [{_term_bits(config) - 1}:0] seen_term;",
        f"reg [{_term_bits(config) - 1}:0] term;",
        f"always @(posedge clk) if (term_load) term <= {_chosen(config)};",
        *_digit_lines(config),
        *_code_lines(config),
        f"wire [{operand_layout(config).size - 1}:0] built;",
        "operands shared(.digits(digit), .built(built));",
        "pe dut(.clk(clk), .rst(rst), .weights(weights), .mask(mask), .term_load(term_load),",
        "  .digit(built), .valid(valid), .first(first), .last(last), .sum(sum),",
        "  .seen_term(seen_term), .seen_dot(seen_dot));",
        f"wire {number} partial_0 = {products};",
        *(f"reg {number} partial_{n + 1};" for n in stages),
        *(f"always @(posedge clk) partial_{n + 1} <= partial_{n};" for n in stages),
        f"wire {number} partial = partial_{config.depth + 1};",
        f"wire {number} next = first ? {top} : (total << {config.digit}) + partial;",
        f"reg {number} total, held;",
        "reg open = 0, seen = 0;",
        "reg [5:0] age = 0;",
        "always @(posedge clk) begin",
        f"  if (age <= {config.depth + 2}) age <= age + 1;",
        "  if (rst) begin open <= 0; seen <= 0; end",
        "  else if (valid) begin open <= !last; seen <= seen | last; end",
        "  if (valid) begin total <= next; if (last) held <= next; end",
        "end",
        "initial assume (rst);",
        "initial assume (term == seen_term);",
        "always @* begin",
        f"  assume (!valid || (first == !open && age > {config.depth + 2} && !rst));",
        "  assert (term == seen_term);",
        "  if (seen) assert (sum == held);",
    ]
    if config.digits == 1:
        lines += ["  assume (!valid || last);", "  assert (!open);"]
    else:
        lines.append("  if (open) assert (seen_dot == total);")
        if config.mapping == "ecp5":
            lines.append("  if (!open && age > 0) assert (seen_dot == 0);")
    return "\n".join([*lines, "end", "endmodule", ""])
