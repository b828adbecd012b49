"""Design: all sources of a circuit on a board, ready for any tool."""

from dataclasses import dataclass

from fpga.boards import Board
from fpga.description import Description
from fpga.gateware.emit import system_verilog
from fpga.pins import constraints, pins_of
from fpga.pll import clock_of
from hwgen.config import HardwareConfig


@dataclass(frozen=True)
class Design:
    """Sources.

    Attributes
    ----------
    description : Description
    verilog : str
        The top module is ``board``; ``system`` in it is everything but clock and pins.
    constraints : str
        Pins, in the language of the family's tool.
    """

    description: Description
    verilog: str
    constraints: str


def design_of(name: str, board: Board, config: HardwareConfig, clock: float) -> Design:
    """Return the design of an engine on a board at a clock in MHz."""
    pins = pins_of(board)
    source = clock_of(board.family, pins.frequency, clock)
    system = board.system(source.frequency)
    emitted = system_verilog(config, system)
    description = Description(name, config, system, emitted.design, source.frequency)
    led = "~busy" if pins.led.invert else "busy"
    top = f"""module board(input clk_in, input rx, output tx, output led);
  wire clk, locked, busy;
{source.verilog}
  reg [4:0] up = 0;
  reg down = 1;
  always @(posedge clk) if (~up[4]) up <= up + locked;
  always @(posedge clk) down <= ~up[4];
  system core(.clk(clk), .rst(down), .rx(rx), .tx(tx), .busy(busy));
  assign led = {led};
endmodule
"""
    text = emitted.text + "\n" + top
    return Design(description, text, constraints(board.family, pins))
