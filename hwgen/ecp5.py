"""Carry cells of the Lattice ECP5: what one computes, chains of them, and a model to simulate.

Half a cell (CCU2C) is a 4-input table ``p`` of ``a, b, c, d`` and a 2-input table ``g`` of ``a``
and ``b``, which is the part of ``p`` where ``c = d = 0``. Its sum is ``p ^ carry in``; its carry
out is the carry in where ``p`` is 1, and ``g`` where it is 0. (As Yosys' simulation model has it,
with ``INJECT1`` off.)
"""

from collections.abc import Sequence

from amaranth import Cat, Const, Instance, Module, Shape, Signal, Value

ADD_SUB = 0x965A
"""``a + ((b & d) ^ c)``."""
ADD = 0x66AA
"""``a + (b & d)``, with ``c = 1``."""
SIGN = 0x3C00
"""``0 + (b ^ c)``, with ``d = 1``."""
COUNT = 0x7888
"""``(a & b) + (c & d)``."""
BIT = 0x8000
"""``0 + (a & b)``, with ``c = d = 1``."""
FEED = 0x0008
"""Sum: the carry in. Carry out: ``a & b``. With ``c = d = 1``: it ends a number and begins one."""
END = 0x0000
"""Sum: the carry in. Carry out: 0."""

LONGEST = 32
"""Half cells of a chain that holds several numbers: longer ones would limit the clock."""


class Chain:
    """Half cells in a row, of one or several numbers; :func:`place` makes them.

    The first carry in is 0. Inputs that are left out are 1.
    """

    def __init__(self) -> None:
        self.halves: list[tuple[int, list[Value], Signal]] = []
        self.open: Signal | None = None

    def half(self, table: int, *inputs: Value) -> Signal:
        """Append half a cell and return its sum."""
        total = Signal() if self.open is None else self.open
        self.open = None
        self.halves.append((table, [*inputs, *[Const(1, 1)] * (4 - len(inputs))], total))
        return total

    def feed(self, *carry: Value) -> None:
        """Begin a number whose carry in is the AND of up to two bits; of none, 0."""
        self.half(FEED if carry else END, *carry)

    def top(self) -> Signal:
        """Return the carry out of the number that ends here: the sum of the half cell to follow."""
        self.open = Signal()
        return self.open


def place(m: Module, name: str, chain: Chain) -> None:
    """Add the cells of a chain to a module."""
    if chain.open is not None:
        chain.half(END)
    if len(chain.halves) % 2:
        chain.half(END)
    carry: Value = Const(0, 1)
    for number in range(0, len(chain.halves), 2):
        ports: dict[str, object] = {"i_CIN": carry}
        for half, (table, inputs, total) in enumerate(chain.halves[number : number + 2]):
            ports |= {f"p_INIT{half}": Const(table, 16), f"p_INJECT1_{half}": "NO"}
            ports |= {f"i_{pin}{half}": bit for pin, bit in zip("ABCD", inputs, strict=True)}
            ports[f"o_S{half}"] = total
        carry = Signal(name=f"{name}_carry_{number // 2}")
        m.submodules[f"{name}_{number // 2}"] = Instance("CCU2C", o_COUT=carry, **ports)


def width_of(low: int, high: int) -> int:
    """Bits of a number of this range: two's complement if it can be negative."""
    return Shape.cast(range(low, high + 1)).width


def extended(value: Value, width: int) -> list[Value]:
    """Return the bits of a number, its sign repeated, or zeros put before it."""
    top = value[-1] if value.shape().signed else Const(0, 1)
    return [value[bit] if bit < len(value) else top for bit in range(width)]


def number(bits: Sequence[Value], low: int) -> Value:
    """Return bits as a number; two's complement if the lowest in its range is negative."""
    return Cat(*bits).as_signed() if low < 0 else Cat(*bits)


MODEL = """\
`ifndef SYNTHESIS
// Half a cell: sum p ^ carry, where p is table[dcba]; its carry out is table[ba] where p is 0.
// INJECT1 takes the carry away.
module CCU2C(CIN, A0, B0, C0, D0, A1, B1, C1, D1, S0, S1, COUT);
  parameter [15:0] INIT0 = 0;
  parameter [15:0] INIT1 = 0;
  parameter INJECT1_0 = "NO";
  parameter INJECT1_1 = "NO";
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1;
  output S0, S1, COUT;
  wire p0 = INIT0[{D0, C0, B0, A0}];
  wire p1 = INIT1[{D1, C1, B1, A1}];
  wire adds0 = INJECT1_0 == "NO";
  wire adds1 = INJECT1_1 == "NO";
  wire carry = p0 ? CIN : adds0 & INIT0[{2'b00, B0, A0}];
  assign S0 = p0 ^ (adds0 & CIN);
  assign S1 = p1 ^ (adds1 & carry);
  assign COUT = p1 ? carry : adds1 & INIT1[{2'b00, B1, A1}];
endmodule
`endif
"""
"""The cell, to simulate circuits with; tools that synthesize have their own."""
