"""Boards: what each has, and the circuit that it gets unless told otherwise."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from fpga.gateware.parameters import BoardConfig
from models.checks import require
from models.cli import nearest

BAUD = 1_000_000
"""Bits a second on every board's serial line; their USB bridges all do it."""

GAP_SECONDS = 0.02
"""A USB bridge may pause for some milliseconds within a frame."""


@dataclass(frozen=True)
class Memory:
    """External memory of a board: what its weights could stream from.

    Attributes
    ----------
    name : str
    bytes_per_second : float
        At most.
    size : int
        Bytes.
    source : str
        Where the figures come from.
    """

    name: str
    bytes_per_second: float
    size: int
    source: str


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    title : str
    family : str
        ``ecp5``, ``ice40``, ``gowin`` or ``xilinx``.
    platform : str
        Module and class of amaranth-boards that knows its pins.
    clock : float
        MHz that the circuit runs at unless told otherwise.
    banks, depth : int
        Of the memory: see :class:`fpga.gateware.parameters.BoardConfig`.
    memory : Memory or None
    program : tuple of str
        Command that loads a bitstream, its file to follow.
    capacity : dict of str to int
        What the FPGA has: ``lut``, ``bram``, ``dsp``, and ``spram`` where there is any.
    circuit : dict
        Parameters of the engine unless told otherwise.
    uart : tuple of str
        Pins of the serial line, towards the FPGA and away from it, where the platform has none.
    """

    title: str
    family: str
    platform: str
    clock: float
    banks: int
    depth: int
    memory: Memory | None
    program: tuple[str, ...]
    capacity: dict[str, int]
    circuit: dict[str, Any] = field(default_factory=dict)
    uart: tuple[str, str] | None = None

    def load(self) -> type:
        """Return the platform.

        Raises
        ------
        FileNotFoundError
            amaranth-boards is not installed.
        """
        module, name = self.platform.split(".")
        try:
            return getattr(import_module(f"amaranth_boards.{module}"), name)
        except ImportError as error:
            raise FileNotFoundError(
                "the Python package amaranth-boards must be installed for the pins of a board, "
                "found none; install it with: pip install 'planesmith[fpga]'"
            ) from error

    def system(self, clock: float) -> BoardConfig:
        """Return the circuit around the engine at a clock in MHz."""
        cycles = clock * 1e6
        return BoardConfig(
            banks=self.banks,
            depth=self.depth,
            divisor=round(cycles / BAUD),
            gap=round(cycles * GAP_SECONDS),
            patience=round(cycles * 0.05),
        )


_COMMON: dict[str, Any] = {"requantize_bits": 0, "acc_bits": 40, "stage_every": 1}
_ECP5 = _COMMON | {"pe": 64, "lanes": 16, "mapping": "ecp5", "weight_words": 4}
_SMALL = _COMMON | {
    "pe": 2, "lanes": 8, "columns": 640, "rows": 2048, "coef_bits": 8, "acc_bits": 32,
    "stage_every": 0, "weight_words": 8,
}  # fmt: skip

BOARDS: dict[str, Board] = {
    "ulx3s": Board(
        "Radiona ULX3S with LFE5U-85F", "ecp5", "ulx3s.ULX3S_85F_Platform",
        clock=100, banks=8, depth=4096,
        memory=Memory(
            "32 MB SDRAM, 16 bits at 143 MHz", 286e6, 32 << 20,
            "IS42S16160G-7 data sheet (143 MHz at CAS latency 3), peak",
        ),
        program=("openFPGALoader", "-b", "ulx3s"),
        capacity={"lut": 83640, "bram": 208, "dsp": 156},
        circuit=_ECP5,
    ),
    "icepi-zero": Board(
        "Icepi Zero with LFE5U-25F", "ecp5", "icepi_zero.IcepiZero1_3Platform",
        clock=75, banks=4, depth=4096,
        memory=None,
        program=("openFPGALoader", "-b", "icepi-zero"),
        capacity={"lut": 24288, "bram": 56, "dsp": 28},
        circuit=_ECP5 | {"pe": 12},
    ),
    "icebreaker": Board(
        "iCEBreaker with iCE40UP5K", "ice40", "icebreaker.ICEBreakerPlatform",
        clock=24, banks=2, depth=16384,
        memory=Memory(
            "16 MB flash, 4 bits at 104 MHz", 52e6, 16 << 20,
            "W25Q128JV data sheet (fast read quad I/O at 104 MHz), peak",
        ),
        program=("iceprog",),
        capacity={"lut": 5280, "bram": 30, "spram": 4, "dsp": 8},
        circuit=_SMALL,
    ),
    "tang-nano-9k": Board(
        "Sipeed Tang Nano 9K with GW1NR-9C", "gowin", "tang_nano_9k.TangNano9kPlatform",
        clock=27, banks=2, depth=4096,
        memory=Memory(
            "8 MB PSRAM, two of 8 bits at 166 MHz", 664e6, 8 << 20,
            "Gowin UG803 (GW1NR-9C: 64 Mbit PSRAM, 166 MHz, double data rate), peak",
        ),
        program=("openFPGALoader", "-b", "tangnano9k"),
        capacity={"lut": 8640, "bram": 26, "dsp": 20},
        circuit=_SMALL,
    ),
    "arty-a7": Board(
        "Digilent Arty A7-35T with XC7A35T", "xilinx", "arty_a7.ArtyA7_35Platform",
        clock=100, banks=8, depth=4096,
        memory=Memory(
            "256 MB DDR3L, 16 bits at 667 MT/s", 1334e6, 256 << 20,
            "Digilent Arty A7 reference manual (667 MT/s, 16 bits), peak",
        ),
        program=("openFPGALoader", "-b", "arty_a7_35t"),
        capacity={"lut": 20800, "bram": 50, "dsp": 90},
        circuit=_COMMON | {"pe": 64, "lanes": 16, "weight_words": 4},
    ),
    "arty-z7": Board(
        "Digilent Arty Z7-20 with Zynq XC7Z020", "xilinx", "arty_z7.ArtyZ720Platform",
        clock=125, banks=8, depth=4096,
        memory=Memory(
            "512 MB DDR3, 16 bits at 1050 MT/s", 2100e6, 512 << 20,
            "Digilent Arty Z7 reference manual (1050 MT/s, 16 bits), peak",
        ),
        program=("openFPGALoader", "-b", "arty_z7_20"),
        capacity={"lut": 53200, "bram": 140, "dsp": 220},
        circuit=_COMMON | {"pe": 64, "lanes": 16, "weight_words": 4},
        uart=("Y18", "Y19"),
    ),
}  # fmt: skip
"""By name."""


def board_of(name: str) -> Board:
    """Return a board by name; ``ValueError`` with what was meant if there is none."""
    require(name in BOARDS, "board", f"be a known one ({nearest(name, BOARDS)})", name)
    return BOARDS[name]
