"""The list of what to compare, read from TOML."""

import re
from collections import Counter
from dataclasses import astuple, dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import get_type_hints

from models.checks import require
from models.cli import nearest
from models.codes import Activation
from models.equivalence import Equivalence
from models.files import read_toml
from models.formats import parse
from models.formats.spec import Format, require_choice

DEFAULT = Path(__file__).with_name("formats.toml")


@dataclass(frozen=True)
class Row:
    """A format, and how its activations and its calibration are.

    Attributes
    ----------
    format : str
        As :func:`models.formats.parse` reads it.
    act_bits : int
    calibrate : bool
        Whether the layers see the calibration text, or are quantized for their weights alone.
    layers : str
        Shell pattern of the layers' names; others stay as they are.
    rotate : int
        Block of the Hadamard matrices that rotate inputs; 0 for none.
    """

    format: str
    act_bits: int = 8
    calibrate: bool = True
    layers: str = "*"
    rotate: int = 0

    def __post_init__(self) -> None:
        _ = self.spec, self.activation, Equivalence(None, None, self.rotate)  # checked when made

    @cached_property
    def spec(self) -> Format:
        """The format with all its options."""
        return parse(self.format)

    @cached_property
    def activation(self) -> Activation:
        """How inputs of layers become codes."""
        return Activation(bits=self.act_bits, signed=self.act_bits > 1)

    @property
    def label(self) -> str:
        """The format, and what differs from the usual row."""
        words = [self.format.replace(" ", "")]
        words += [f"a{self.act_bits}"] if self.act_bits != 8 else []
        words += [f"rotate {self.rotate}"] if self.rotate else []
        words += [] if self.calibrate else ["weights only"]
        words += [] if self.layers == "*" else [f"in {self.layers}"]
        return " ".join(words)

    @property
    def stem(self) -> str:
        """The label as the name of a file."""
        return re.sub(r"[^\w.=-]+", "_", self.label)


def read_rows(file: Path = DEFAULT) -> list[Row]:
    """Read a list: a table ``[[row]]`` for each row, with the attributes of :class:`Row`.

    Raises
    ------
    ValueError
        The file is no TOML, holds no row, or a row breaks a rule; the text gives its number.
    OSError
        There is no such file.
    """
    content = read_toml(file)
    found = content.get("row")
    whole = list(content) == ["row"] and isinstance(found, list) and len(found) > 0
    require(whole, str(file), "hold tables [[row]] and nothing else", ", ".join(content) or "none")
    rows = []
    for number, table in enumerate(content["row"], start=1):
        try:
            rows.append(_row(table))
        except ValueError as error:
            raise ValueError(f"row {number} of {file}: {error}") from error
    count = Counter((row.spec, *astuple(row)[1:]) for row in rows)
    for row in rows:
        times = count[row.spec, *astuple(row)[1:]]
        require(times == 1, str(file), f"hold {row.label} once", f"it {times} times")
    return rows


def choose(rows: list[Row], pattern: str) -> list[Row]:
    """Return the rows whose label fits a shell pattern.

    Raises
    ------
    ValueError
        There is none.
    """
    chosen = [row for row in rows if fnmatch(row.label, pattern)]
    if not chosen:
        hint = nearest(pattern, [row.label for row in rows])
        raise ValueError(f"--only must fit one of {len(rows)} rows, got '{pattern}'; {hint}")
    return chosen


def _row(table: object) -> Row:
    if not isinstance(table, dict):
        raise ValueError(f"it must be a table, got {table!r}")
    kinds = get_type_hints(Row)
    for key, value in table.items():
        require_choice("key", key, tuple(kinds))
        require(type(value) is kinds[key], key, f"be of type {kinds[key].__name__}", repr(value))
    require("format" in table, "keys", "include format", ", ".join(table) or "none")
    return Row(**table)
