"""Candidate: one thing that might be built, and the commands that build and price it."""

import re
import shlex
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from cost.board import memory_of
from cost.engine import Chip
from cost.interval import Interval
from cost.prices import Price
from cost.technology import memories, technologies
from explore.storage import seen_of, storage_for
from fpga.boards import board_of
from hwgen.config import HardwareConfig
from models.compare.rows import Row

WORDS = re.compile(r"(?s)(.*?)(?: rotate (\d+))?( weights only)?\Z")
"""A format and what follows it in tables of ``models compare``."""

MOST_COLUMNS = 1 << 17
CIRCUIT = ("kind", "pe", "lanes", "act_bits", "digit", "table", "stage_every")
"""Parameters of a candidate that are the circuit's."""

PLAIN = {field.name: field.default for field in fields(HardwareConfig)}
IDLE = Price("idle", Interval(0, 0), "W", "none taken: what is neither engine nor memory")


@dataclass(frozen=True)
class Candidate:
    """A format, an engine, its technology, memory and clock.

    Attributes
    ----------
    format : str
        As ``models quantize`` takes it, ``rotate 64`` behind it where inputs are rotated in such
        blocks, and last ``weights only`` where it is not calibrated.
    kind, pe, lanes, act_bits, digit, table, stage_every
        As in :class:`hwgen.config.HardwareConfig`.
    technology, memory : str
        As ``sim cost`` knows them.
    clock : float
        MHz.
    board : str
        In place of technology and memory, one of ``fpga boards``; empty for none.
    """

    format: str
    kind: str = "popcount"
    pe: int = 64
    lanes: int = 32
    act_bits: int = 8
    digit: int = 0
    table: int = 2
    stage_every: int = 0
    technology: str = "asap7"
    memory: str = "lpddr5-6400x64"
    clock: float = 500.0
    board: str = ""

    @property
    def spec(self) -> str:
        """The format alone."""
        return self.row.format

    @property
    def row(self) -> Row:
        """What decides its perplexity: format, activation bits, calibration, rotation."""
        return _row(self.format, self.act_bits)

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of the circuit, as flags give them: those that are not their defaults.

        On a board all, with room for any layer; its own are the others, registers in adder trees
        among them unless ``stage_every`` is given.

        Raises
        ------
        ValueError
            There is no such format.
        """
        storage = storage_for(self.spec)
        own: dict[str, Any] = {name: getattr(self, name) for name in CIRCUIT}
        own |= {"k": storage.planes, "act_signed": self.act_bits > 1}
        if self.kind != "popcount":
            own["ternary"] = storage.ternary
        if self.kind != "lut":
            del own["table"]
        if self.digit == (1 if self.kind == "popcount" else self.act_bits):
            del own["digit"]
        if self.board:
            own |= {name: PLAIN[name] for name in ("columns", "rows")}
            return {name: value for name, value in own.items() if name != "stage_every" or value}
        return {name: value for name, value in own.items() if value != PLAIN[name]}

    @property
    def config(self) -> HardwareConfig:
        """The circuit, with room for the inputs of any layer; a board's has its own parameters too.

        Raises
        ------
        ValueError
            There is no such circuit.
        """
        return _config(tuple(self.settings.items()), self.board)

    @property
    def chip(self) -> Chip:
        """The engine with its prices; of a board's memory only the speed is known."""
        technology = technologies()[self.technology]
        memory = memory_of(self.board) if self.board else memories()[self.memory]
        return Chip(self.config, self.clock * 1e6, technology, memory, IDLE)

    def command(self, model: str, calibrate: str, windows: int) -> str:
        """Return the command that quantizes the model and writes the circuit.

        Parameters
        ----------
        calibrate, windows : str, int
            The calibration text, and how much of it.
        """
        quantize = ["python", "-m", "models", "quantize", model, "--format", self.spec]
        quantize += ["--act-bits", str(self.act_bits)] if self.act_bits != 8 else []
        quantize += ["--rotate", str(self.row.rotate)] if self.row.rotate else []
        quantize += ["--calibrate", calibrate if self.row.calibrate else "none"]
        quantize += ["--windows", str(windows)] if self.row.calibrate else []
        quantize += ["-o", "build/explored.safetensors"]
        hwgen = ["python", "-m", *(["fpga", "build", self.board] if self.board else ["hwgen"])]
        hwgen += _flags(self.settings)
        return f"{shlex.join(quantize)} && {shlex.join([*hwgen, '-o', 'build/explored'])}"

    def price(self, model: str, head: str, context: int) -> str:
        """Return the command that prices it again, by what its circuit sees of the format.

        There is none for a board.
        """
        if self.board:
            return ""
        circuit = {name: value for name, value in self.settings.items() if name != "k"}
        told = [
            ("format", seen_of(self.spec)), ("head", head), ("context", context),
            ("technology", self.technology), ("memory", self.memory), ("clock", f"{self.clock:g}"),
            ("columns", self.config.columns), *circuit.items(),
        ]  # fmt: skip
        return shlex.join(["python", "-m", "sim", "cost", model, *_flags(dict(told))])

    @property
    def place(self) -> str:
        """Where it runs: board, or technology and memory; and the clock."""
        where = self.board or f"{self.technology}, {self.memory}"
        return f"{where}, {self.clock:g} MHz"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def _flags(settings: dict[str, Any]) -> list[str]:
    found = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            found += [f"--{flag}", str(value)]
    return found


@cache
def _row(text: str, act_bits: int) -> Row:
    form, rotate, plain = WORDS.findall(text)[0]
    return Row(form, act_bits, not plain, rotate=int(rotate or 0))


@cache
def _config(settings: tuple[tuple[str, Any], ...], board: str) -> HardwareConfig:
    """Return a circuit; the same one each time, so that what is counted of it is counted once."""
    own: dict[str, Any] = board_of(board).circuit if board else {"columns": MOST_COLUMNS}
    return HardwareConfig(**own | dict(settings))
