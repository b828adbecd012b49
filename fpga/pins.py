"""Pins of a board, as amaranth-boards knows them, and the constraints that say so to a tool."""

from dataclasses import dataclass
from typing import Any

from fpga.boards import Board


@dataclass(frozen=True)
class Pin:
    """A pin.

    Attributes
    ----------
    name : str
        Of the FPGA's package.
    attributes : dict of str to str
        Electrical standard and so on, in the words of the vendor.
    invert : bool
        Low is active.
    """

    name: str
    attributes: dict[str, str]
    invert: bool = False


@dataclass(frozen=True)
class Pins:
    """What the circuit needs of a board.

    Attributes
    ----------
    clock : Pin
    frequency : float
        MHz of ``clock``.
    rx, tx : Pin
        Serial line, to and from the FPGA.
    led : Pin
    """

    clock: Pin
    frequency: float
    rx: Pin
    tx: Pin
    led: Pin

    @property
    def by_port(self) -> dict[str, Pin]:
        """Pins by the ports of the outermost module."""
        return {"clk_in": self.clock, "rx": self.rx, "tx": self.tx, "led": self.led}


def pins_of(board: Board) -> Pins:
    """Return the pins of a board."""
    platform: Any = board.load()
    resources = {(one.name, one.number): one for one in platform.resources}
    clock_name = platform.default_clk or next(name for name, _ in resources if "clk" in name)
    clock = resources[clock_name, 0]
    led = resources.get(("led", 0)) or resources["rgb_led", 0]
    if board.uart:
        standard = _attributes(clock)
        rx, tx = (Pin(name, standard) for name in board.uart)
    else:
        rx, tx = (_pin(resources["uart", 0], part) for part in ("rx", "tx"))
    return Pins(_pin(clock), clock.clock.frequency / 1e6, rx, tx, _pin(led, "r"))


def _attributes(resource: Any) -> dict[str, str]:
    return {name: str(value) for name, value in resource.attrs.items()}


def _pin(resource: Any, part: str = "") -> Pin:
    """Return the first pin of a resource, or of a part of it if it has parts."""
    found, attributes = resource.ios[0], _attributes(resource)
    if type(found).__name__ == "Subsignal":
        found = next(one for one in resource.ios if one.name == part)
        attributes |= _attributes(found)
        found = found.ios[0]
    return Pin(found.names[0], attributes, found.invert)


def constraints(family: str, pins: Pins) -> str:
    """Return the text that places the ports of the outermost module: LPF, PCF, CST or XDC."""
    write = {"ecp5": _lpf, "ice40": _pcf, "gowin": _cst, "xilinx": _xdc}[family]
    lines = [line for port, pin in pins.by_port.items() for line in write(port, pin)]
    period = 1000 / pins.frequency
    if family == "ecp5":
        lines.append(f'FREQUENCY PORT "clk_in" {pins.frequency:g} MHZ;')
    if family == "xilinx":
        lines.append(f"create_clock -name clk_in -period {period:.3f} [get_ports clk_in]")
    return "\n".join(lines) + "\n"


def _lpf(port: str, pin: Pin) -> list[str]:
    attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
    return [f'LOCATE COMP "{port}" SITE "{pin.name}";', f'IOBUF PORT "{port}" {attributes};']


def _pcf(port: str, pin: Pin) -> list[str]:
    pull = " -pullup yes" if "PULLUP" in pin.attributes else ""
    return [f"set_io{pull} {port} {pin.name}"]


def _cst(port: str, pin: Pin) -> list[str]:
    attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
    return [f'IO_LOC "{port}" {pin.name};', f'IO_PORT "{port}" {attributes};']


def _xdc(port: str, pin: Pin) -> list[str]:
    lines = [f"set_property PACKAGE_PIN {pin.name} [get_ports {port}]"]
    return lines + [
        f"set_property {name} {value} [get_ports {port}]" for name, value in pin.attributes.items()
    ]
