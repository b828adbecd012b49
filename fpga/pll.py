"""Clocks: the PLL of each family, its settings, and its Verilog."""

from collections.abc import Sequence
from dataclasses import dataclass

ECP5_VCO = (400.0, 800.0)
"""MHz; FPGA-DS-02012 (ECP5 data sheet), sysCLOCK PLL timing. Phase detector from 10 MHz."""

ICE40_VCO = (533.0, 1066.0)
"""MHz; FPGA-DS-02008 (iCE40 UltraPlus data sheet), sysCLOCK PLL timing. Input from 10 to 133."""

GOWIN_VCO = (400.0, 1200.0)
"""MHz; DS117 (GW1NR data sheet), PLL parameters of speed grade 6. Phase detector from 3 MHz."""

XILINX_VCO = (800.0, 1600.0)
"""MHz; DS181 (Artix-7 data sheet), PLL of speed grade 1. Phase detector from 19 MHz."""


@dataclass(frozen=True)
class Clock:
    """How a circuit gets its clock.

    Attributes
    ----------
    frequency : float
        MHz that it really has.
    verilog : str
        Drives ``clk`` and ``locked`` from ``clk_in``.
    """

    frequency: float
    verilog: str


def clock_of(family: str, given: float, wanted: float) -> Clock:
    """Return the clock that comes closest to ``wanted`` MHz from a crystal of ``given`` MHz.

    Raises
    ------
    ValueError
        None comes within a hundredth.
    """
    if abs(given - wanted) < 1e-6:
        return Clock(given, "  assign clk = clk_in;\n  assign locked = 1'b1;\n")
    make = {"ecp5": _ecp5, "ice40": _ice40, "gowin": _gowin, "xilinx": _xilinx}[family]
    found = sorted(make(given, wanted), key=lambda one: abs(one.frequency - wanted))
    if not found or abs(found[0].frequency - wanted) > wanted / 100:
        nearest = f" (nearest: {found[0].frequency:g})" if found else ""
        raise ValueError(
            f"clock must be within a hundredth of what the PLL makes of {given:g} MHz, "
            f"got {wanted:g}{nearest}"
        )
    return found[0]


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _divider(frequency: float, dividers: Sequence[int], limits: tuple[float, float]) -> int | None:
    """Return the divider whose oscillator is nearest to the middle of its range."""
    fit = [n for n in dividers if _within(frequency * n, limits)]
    return min(fit, key=lambda n: abs(frequency * n - sum(limits) / 2), default=None)


def _ecp5(given: float, wanted: float) -> list[Clock]:
    found = []
    for divide in range(1, int(given / 10) + 1):
        multiply = max(1, round(wanted * divide / given))
        frequency = given * multiply / divide
        after = _divider(frequency, range(1, 129), ECP5_VCO)
        if multiply <= 80 and after:
            text = f"""  EHXPLLL #(
    .CLKI_DIV({divide}), .CLKFB_DIV({multiply}), .CLKOP_DIV({after}), .CLKOP_CPHASE({after - 1}),
    .CLKOP_ENABLE("ENABLED"), .FEEDBK_PATH("CLKOP")
  ) pll (
    .CLKI(clk_in), .CLKFB(clk), .CLKOP(clk), .LOCK(locked), .RST(1'b0), .STDBY(1'b0),
    .PHASESEL0(1'b0), .PHASESEL1(1'b0), .PHASEDIR(1'b0), .PHASESTEP(1'b0), .PHASELOADREG(1'b0),
    .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0)
  );
"""
            found.append(Clock(frequency, text))
    return found


def _ice40(given: float, wanted: float) -> list[Clock]:
    found = []
    bands = (17, 26, 44, 66, 101, 133)  # upper ends in MHz of FILTER_RANGE 1 to 6
    for divide in range(16):
        detector = given / (divide + 1)
        for after in range(1, 7):
            multiply = round(wanted * (1 << after) / detector)
            vco = detector * multiply
            if detector < 10 or not 1 <= multiply <= 128 or not _within(vco, ICE40_VCO):
                continue
            band = 1 + next(number for number, end in enumerate(bands) if detector <= end)
            text = f"""  SB_PLL40_PAD #(
    .FEEDBACK_PATH("SIMPLE"), .DIVR(4'd{divide}), .DIVF(7'd{multiply - 1}), .DIVQ(3'd{after}),
    .FILTER_RANGE(3'd{band})
  ) pll (
    .PACKAGEPIN(clk_in), .PLLOUTGLOBAL(clk), .LOCK(locked), .RESETB(1'b1), .BYPASS(1'b0)
  );
"""
            found.append(Clock(vco / (1 << after), text))
    return found


def _gowin(given: float, wanted: float) -> list[Clock]:
    found = []
    for divide in range(1, int(given / 3) + 1):
        multiply = max(1, round(wanted * divide / given))
        frequency = given * multiply / divide
        after = _divider(frequency, (2, 4, 8, *range(16, 129, 16)), GOWIN_VCO)
        if multiply <= 64 and after:
            text = f"""  rPLL #(
    .FCLKIN("{given:g}"), .DEVICE("GW1NR-9C"), .DYN_IDIV_SEL("false"), .DYN_FBDIV_SEL("false"),
    .DYN_ODIV_SEL("false"), .IDIV_SEL({divide - 1}), .FBDIV_SEL({multiply - 1}), .ODIV_SEL({after})
  ) pll (
    .CLKIN(clk_in), .CLKOUT(clk), .LOCK(locked), .RESET(1'b0), .RESET_P(1'b0), .CLKFB(1'b0),
    .FBDSEL(6'b0), .IDSEL(6'b0), .ODSEL(6'b0), .PSDA(4'b0), .DUTYDA(4'b0), .FDLY(4'b0)
  );
"""
            found.append(Clock(frequency, text))
    return found


def _xilinx(given: float, wanted: float) -> list[Clock]:
    found = []
    for divide in range(1, int(given / 19) + 1):
        for multiply in range(2, 65):
            vco = given * multiply / divide
            after = max(1, round(vco / wanted))
            if _within(vco, XILINX_VCO) and after <= 128:
                text = f"""  wire feedback, unbuffered;
  PLLE2_BASE #(
    .CLKIN1_PERIOD({1000 / given:.3f}), .DIVCLK_DIVIDE({divide}), .CLKFBOUT_MULT({multiply}),
    .CLKOUT0_DIVIDE({after})
  ) pll (
    .CLKIN1(clk_in), .CLKFBIN(feedback), .CLKFBOUT(feedback), .CLKOUT0(unbuffered),
    .LOCKED(locked), .RST(1'b0), .PWRDWN(1'b0)
  );
  BUFG buffer (.I(unbuffered), .O(clk));
"""
                found.append(Clock(vco / after, text))
    return found
