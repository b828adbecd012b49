"""Registers around multipliers of the ECP5 move into these.

A MULT18X18D has registers of its own for both factors and the product, which Yosys does not use.
Between a register of the fabric and one in the multiplier there is nothing but a wire.
"""

from collections import defaultdict
from typing import Any

Cell = dict[str, Any]


def absorb(module: dict[str, Any]) -> int:
    """Move registers into multipliers of a netlist, as Yosys writes one; return how many are gone.

    Factors move if all bits of both come from registers, or are 0; products if all that is read of
    one goes to registers and nowhere else. Registers must have the same clock, no enable, no reset,
    and begin with 0.
    """
    cells: dict[str, Cell] = module["cells"]
    before = len(cells)
    multipliers = [cell for cell in cells.values() if cell["type"] == "MULT18X18D"]
    names = {cell["connections"]["Q"][0]: name
             for name, cell in cells.items() if _is_plain(cell)}  # fmt: skip
    registers = {bit: cells[name] for bit, name in names.items()}
    for multiplier in multipliers:
        _take_factors(multiplier, registers)
    readers = _readers(module)
    for bit in names.keys() - readers.keys():
        del cells[names[bit]]
    for multiplier in multipliers:
        _take_product(multiplier, cells, readers)
    return before - len(cells)


def _take_factors(multiplier: Cell, registers: dict[int, Cell]) -> None:
    pins = multiplier["connections"]
    factors = [pin for pin in pins if pin[0] in "AB" and pin[1:].isdigit() and pins[pin] != ["0"]]
    found = {pin: registers[pins[pin][0]] for pin in factors if pins[pin][0] in registers}
    clocks = {register["connections"]["CLK"][0] for register in found.values()}
    if len(found) < len(factors) or len(clocks) != 1:
        return
    for pin, register in found.items():
        pins[pin] = list(register["connections"]["DI"])
    _clocked(multiplier, clocks.pop(), "REG_INPUTA_CLK", "REG_INPUTB_CLK")


def _take_product(
    multiplier: Cell, cells: dict[str, Cell], readers: dict[int, list[tuple[str, str]]]
) -> None:
    pins = multiplier["connections"]
    product = [pin for pin in pins if pin[0] == "P" and pins[pin] and pins[pin][0] in readers]
    found: dict[str, str] = {}
    for pin in product:
        (name, port), *others = readers[pins[pin][0]]
        if others or port != "DI" or not _is_plain(cells[name]):
            return
        found[pin] = name
    clocks = {cells[name]["connections"]["CLK"][0] for name in found.values()}
    if len(clocks) != 1 or pins.get("CLK0", [*clocks]) != [*clocks]:
        return
    for pin, name in found.items():
        pins[pin] = list(cells.pop(name)["connections"]["Q"])
    _clocked(multiplier, clocks.pop(), "REG_OUTPUT_CLK")


def _clocked(multiplier: Cell, clock: int, *registers: str) -> None:
    multiplier["parameters"] |= dict.fromkeys(registers, "CLK0")
    multiplier["connections"] |= {"CLK0": [clock], "CE0": ["1"], "RST0": ["0"]}
    multiplier["port_directions"] |= dict.fromkeys(("CLK0", "CE0", "RST0"), "input")


def _is_plain(cell: Cell) -> bool:
    """Tell whether this is a register that takes its input in each cycle and begins with 0."""
    if cell["type"] != "TRELLIS_FF":
        return False
    options, pins = cell["parameters"], cell["connections"]
    return (
        options["CEMUX"].strip() == "1"
        and options["CLKMUX"].strip() == "CLK"
        and options["REGSET"].strip() == "RESET"
        and pins.get("LSR", ["0"]) == ["0"]
        and "DI" in pins
    )


def _readers(module: dict[str, Any]) -> dict[int, list[tuple[str, str]]]:
    """Return cells and ports that read each bit; ports of the module have no cell."""
    readers: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "output":
                for bit in bits:
                    readers[bit].append((name, port))
    for port in module["ports"].values():
        if port["direction"] != "input":
            for bit in port["bits"]:
                readers[bit].append(("", ""))
    return readers
