"""Baseline: a dot product of plain integers, built with the same care as ours.

All partial products of all lanes are one sum, which becomes one tree of full adders, as ours
does: no adder for each product. ``array`` has a row for each weight bit (Baugh and Wooley 1973),
``booth`` one for two (MacSorley 1961, radix 4). Weights are registered under a gated clock, the sum
once.
"""

from dataclasses import dataclass

from models.checks import require

CODINGS = ("array", "booth")


Row = tuple[str, int]
"""An unsigned operand and its bits."""

Rows = tuple[list[str], list[tuple[int, Row]], int]
"""Of a lane: lines of Verilog, rows with their shifts, and what must be added to their sum."""


@dataclass(frozen=True)
class Baseline:
    """A dot product of signed integers each cycle.

    Attributes
    ----------
    weight_bits, act_bits : int
        2 to 16 each; of weights even for ``booth``.
    lanes : int
    coding : str
        One of :data:`CODINGS`.
    """

    weight_bits: int
    act_bits: int
    lanes: int
    coding: str = "array"

    def __post_init__(self) -> None:
        for name in ("weight_bits", "act_bits"):
            value = getattr(self, name)
            require(2 <= value <= 16, f"{name} of a baseline", "be from 2 to 16", value)
        require(1 <= self.lanes <= 1024, "lanes of a baseline", "be from 1 to 1024", self.lanes)
        require(self.coding in CODINGS, "coding", f"be one of {', '.join(CODINGS)}", self.coding)
        even = self.coding == "array" or self.weight_bits % 2 == 0
        require(even, "weight_bits", "be even for booth", self.weight_bits)

    @property
    def sum_bits(self) -> int:
        """Bits of a sum that cannot overflow."""
        return self.weight_bits + self.act_bits - 1 + self.lanes.bit_length()

    def verilog(self) -> str:
        """Return the module ``pe``; its sum follows operands by two cycles."""
        lines: list[str] = []
        of_shift: dict[int, list[Row]] = {}
        constant = 0
        for lane in range(self.lanes):
            a, b = lane * self.act_bits, lane * self.weight_bits
            lines += [
                f"  wire [{self.act_bits - 1}:0] a{lane} = digit[{a} +: {self.act_bits}];",
                f"  wire [{self.weight_bits - 1}:0] b{lane} = term[{b} +: {self.weight_bits}];",
            ]
            more, rows, offset = self._rows(lane)
            lines += more
            constant += offset
            for shift, row in rows:
                of_shift.setdefault(shift, []).append(row)
        sums = []
        for shift, rows in sorted(of_shift.items()):
            text, bits = tree(lines, f"s{shift}", rows)
            sums.append((f"{{{text}, {shift}'b0}}" if shift else text, bits + shift))
        total, _ = tree(lines, "total", sums)
        bits = self.sum_bits
        return "\n".join([
            "module pe(",
            f"  input clk, input term_load, input [{self.lanes * self.weight_bits - 1}:0] weights,",
            f"  input [{self.lanes * self.act_bits - 1}:0] digit,",
            f"  output reg [{bits - 1}:0] sum);",
            f"  reg [{self.lanes * self.weight_bits - 1}:0] term;",
            "  always @(posedge clk) if (term_load) term <= weights;",
            *lines,
            f"  always @(posedge clk) sum <= {total} + {bits}'d{constant % (1 << bits)};",
            "endmodule", "",
        ])  # fmt: skip

    def _rows(self, lane: int) -> Rows:
        return self._booth(lane) if self.coding == "booth" else self._array(lane)

    def _array(self, lane: int) -> Rows:
        """``-2**(n-1) a`` and ``-2**(m-1) b``: products with one sign bit count complemented."""
        n, m, rows = self.act_bits, self.weight_bits, []
        for j in range(m):
            last = j == m - 1
            bits = [
                f"{'~' if last != (i == n - 1) else ''}(a{lane}[{i}] & b{lane}[{j}])"
                for i in reversed(range(n))
            ]
            rows.append((j, (f"{{{', '.join(bits)}}}", n)))
        return [], rows, (1 << n - 1) + (1 << m - 1) - (1 << n + m - 1)

    def _booth(self, lane: int) -> Rows:
        """Digits -2 to 2: negative ones complement the row and add 1; signs count complemented."""
        n, lines, rows, constant = self.act_bits, [], [], 0
        for j in range(self.weight_bits // 2):
            name, b = f"{lane}_{j}", f"b{lane}"
            one, two = (f"{{{n + 1}{{{which}{name}}}}}" for which in ("one", "two"))
            single, double = f"{{a{lane}[{n - 1}], a{lane}}}", f"{{a{lane}, 1'b0}}"
            low = f"{b}[{2 * j - 1}]" if j else "1'b0"
            mid, high = f"{b}[{2 * j}]", f"{b}[{2 * j + 1}]"
            sign = f"{{{n + 1}{{{high}}}}}"
            lines += [
                f"  wire one{name} = {mid} ^ {low};",
                f"  wire two{name} = ({mid} ~^ {low}) & ({high} ^ {mid});",
                f"  wire [{n}:0] row{name} = (({one} & {single}) | ({two} & {double})) ^ {sign};",
            ]
            rows += [
                (2 * j, (f"{{~row{name}[{n}], row{name}[{n - 1}:0]}}", n + 1)),
                (2 * j, (high, 1)),
            ]
            constant -= 1 << (n + 2 * j)
        return lines, rows, constant


def tree(lines: list[str], name: str, rows: list[Row]) -> Row:
    """Add rows up pair by pair, each sum as wide as it can become: Yosys then makes one of all."""
    level = 0
    while len(rows) > 1:
        level += 1
        sums = []
        for number, (left, right) in enumerate(zip(rows[::2], rows[1::2], strict=False)):
            wire, bits = f"{name}_{level}_{number}", max(left[1], right[1]) + 1
            lines.append(f"  wire [{bits - 1}:0] {wire} = {left[0]} + {right[0]};")
            sums.append((wire, bits))
        rows = sums + rows[len(rows) & ~1 :]
    return rows[0]
