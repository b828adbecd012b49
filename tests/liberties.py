"""A small cell library of our own, with every kind of table, for tests."""

from pathlib import Path

HEAD = """library (tiny) {
  time_unit : "1ns";
  voltage_unit : "1V";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf);
  nom_voltage : 1.0;
  nom_temperature : 25.0;
  lu_table_template (delay) {
    variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance;
    index_1 ("0.0, 1.0");
    index_2 ("0.0, 1.0");
  }
  power_lut_template (energy) {
    variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance;
    index_1 ("0.0, 1.0");
    index_2 ("0.0, 1.0");
  }
  power_lut_template (inside) {
    variable_1 : input_transition_time;
    index_1 ("0.0, 1.0");
  }
"""

CAPACITANCE, LEAKAGE = 0.002, 1.5
"""pF of every input, nW of every cell."""


def text(full_adder: bool = True) -> str:
    """Return the library: gates, a full adder, a register and a clock gate.

    In place of the full adder it can have an and-or-invert gate, of A and C or B and D.

    Delays are 0.1 ns + 10 ns/pF at an edge without slew, and slews 0.05 ns + 5 ns/pF; an output's
    energy is 0.004 pJ, and 0.001 pJ for 1 ns of slew more; a clock pin's is 0.01 pJ.
    """
    gates = {
        "INV": (1.0, "!A"), "BUF": (1.5, "A"), "NAND": (1.5, "!(A&B)"), "NOR": (1.5, "!(A|B)"),
        "AND": (2.0, "A&B"), "OR": (2.0, "A|B"), "XOR": (3.5, "A^B"), "XNOR": (3.5, "!(A^B)"),
    }  # fmt: skip
    cells = [_gate(name, area, {"Y": function}) for name, (area, function) in gates.items()]
    full = _gate("FULL", 7.0, {"CO": "(A&B)|(C&(A^B))", "S": "A^B^C"})
    cells.append(full if full_adder else _gate("AOI", 2.5, {"Y": "!((A&C)|(B&D))"}))
    return HEAD + "".join([*cells, ONES, REGISTER, CLOCK_GATE]) + "}\n"


def write(folder: Path) -> Path:
    """Write the library to a folder."""
    path = folder / "tiny.lib"
    path.write_text(text())
    return path


def _gate(name: str, area: float, outputs: dict[str, str]) -> str:
    pins = sorted({
        letter for function in outputs.values() for letter in function if letter.isalpha()
    })
    inputs = "".join(_input(pin) for pin in pins)
    out = "".join(_output(pin, function, pins, "") for pin, function in outputs.items())
    return _cell(name, area, inputs + out)


def _cell(name: str, area: float, pins: str) -> str:
    return (
        f"  cell ({name}) {{\n    area : {area};\n    cell_leakage_power : {LEAKAGE};\n{pins}  }}\n"
    )


def _input(pin: str, extra: str = "") -> str:
    return f"    pin ({pin}) {{ direction : input; capacitance : {CAPACITANCE};{extra} }}\n"


def _output(pin: str, function: str, related: list[str], kind: str) -> str:
    arcs = "".join(
        f"""      timing () {{ related_pin : "{one}"; {kind}
        cell_rise (delay) {{ values ("0.1, 10.1", "0.1, 10.1"); }}
        cell_fall (delay) {{ values ("0.1, 10.1", "0.1, 10.1"); }}
        rise_transition (delay) {{ values ("0.05, 5.05", "0.05, 5.05"); }}
        fall_transition (delay) {{ values ("0.05, 5.05", "0.05, 5.05"); }}
      }}
      internal_power () {{ related_pin : "{one}";
        rise_power (energy) {{ values ("0.004, 0.004", "0.005, 0.005"); }}
        fall_power (energy) {{ values ("0.004, 0.004", "0.005, 0.005"); }}
      }}
"""
        for one in related
    )
    return f"""    pin ({pin}) {{ direction : output; max_capacitance : 1.0;
      function : "{function}";
{arcs}    }}
"""


CLOCK_ENERGY = """
      internal_power () {
        rise_power (inside) { values ("0.01, 0.01"); }
        fall_power (inside) { values ("0.01, 0.01"); }
      }
"""

ONES = """  cell (ONE) { area : 0.5; cell_leakage_power : 0;
    pin (Y) { direction : output; function : "1"; }
  }
  cell (ZERO) { area : 0.5; cell_leakage_power : 0;
    pin (Y) { direction : output; function : "0"; }
  }
"""

REGISTER = _cell(
    "REG", 6.0,
    '    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }\n'
    + _input("CK", " clock : true;" + CLOCK_ENERGY)
    + _input("D")
    + _output("Q", "IQ", ["CK"], "timing_type : rising_edge;"),
)  # fmt: skip

CLOCK_GATE = _cell(
    "GATE", 4.0,
    "    clock_gating_integrated_cell : latch_posedge;\n"
    + _input("CK", " clock_gate_clock_pin : true;" + CLOCK_ENERGY)
    + _input("EN", " clock_gate_enable_pin : true;")
    + "    pin (GCK) { direction : output; clock_gate_out_pin : true; }\n",
)  # fmt: skip
