"""Counter: a popcount unit as published ones are drawn, with nothing held but its own sums.

Weights and bits of activations come from outside in each cycle; what both have is counted in one
tree of full adders, registered, and added to, or taken from, a 32-bit accumulator that may be
shifted first. Bits of activations go the top one first, all words of each: published units keep no
weights. It is the definition behind bars on such units, so that ours can be held against it.
"""

from dataclasses import dataclass

from cost.baseline import Row, tree

ACCUMULATOR_BITS = 32


@dataclass(frozen=True)
class Counter:
    """A popcount unit without registers of operands.

    Attributes
    ----------
    lanes : int
    """

    lanes: int

    def verilog(self) -> str:
        """Return the module ``pe``; ``sum`` follows operands by two cycles.

        ``clear``, ``shift`` and ``negative`` come with the operands.
        """
        lines: list[str] = []
        rows: list[Row] = [(f"both[{lane}]", 1) for lane in range(self.lanes)]
        total, bits = tree(lines, "count", rows)
        return "\n".join([
            f"module pe(input clk, input [{self.lanes - 1}:0] weights, digit,",
            f"  input clear, shift, negative, output reg [{ACCUMULATOR_BITS - 1}:0] sum);",
            f"  wire [{self.lanes - 1}:0] both = weights & digit;",
            *lines,
            f"  reg [{bits - 1}:0] count;",
            "  reg cleared, shifted, taken;",
            f"  wire [{ACCUMULATOR_BITS - 1}:0] turned = {{{ACCUMULATOR_BITS}{{taken}}}} ^ count;",
            f"  always @(posedge clk) count <= {total};",
            "  always @(posedge clk) {cleared, shifted, taken} <= {clear, shift, negative};",
            f"  wire [{ACCUMULATOR_BITS - 1}:0] old = cleared ? 0 : shifted ? sum << 1 : sum;",
            "  always @(posedge clk) sum <= old + turned + taken;",
            "endmodule", "",
        ])  # fmt: skip
