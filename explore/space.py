"""Space: what may be built, what it is judged by, and what it must keep; read from TOML."""

from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from cost.gpu import model_bytes
from cost.prices import table_of
from cost.storage import storage_of
from cost.technology import memories, technologies
from cost.workload import Shape, shape_of
from explore.candidate import Candidate
from explore.metrics import METRICS
from explore.storage import storage_for
from fpga.boards import board_of
from hwgen.config import KINDS
from models.checks import require
from models.cli import nearest
from models.equivalence import Equivalence
from models.files import read_toml

DEFAULT = Path(__file__).with_name("default.toml")
SHAPES = {"smollm2": "SmolLM2-135M"}
"""Names of ``models`` that ``cost`` knows by another one."""

UNKNOWN = ("joules_per_token", "area_mm2")
"""Metrics that nothing gives for boards."""

Ends = dict[str, float]


@dataclass(frozen=True)
class Judged:
    """How perplexity is measured.

    Attributes
    ----------
    text : str
        File to read; without one, no format is evaluated.
    tokens, context : int
        At most so many of it, and in one window.
    calibrate : str
        As ``models quantize`` takes it.
    windows : int
        Of the calibration text.
    """

    text: str = ""
    tokens: int = 20000
    context: int = 1024
    calibrate: str = "self"
    windows: int = 32

    def __post_init__(self) -> None:
        require(self.context >= 2, "evaluate.context", "be 2 tokens or more", self.context)
        rule = f"be at least one window of {self.context}"
        require(self.tokens >= self.context, "evaluate.tokens", rule, self.tokens)
        require(self.windows >= 1, "evaluate.windows", "be 1 or more", self.windows)


@dataclass(frozen=True)
class Cells:
    """What elements are synthesized with.

    Attributes
    ----------
    liberty : list of str
        Files of one library, which must be the technology's; without any, rows are synthesized
        for an ECP5.
    dont_use : list of str
        Cells to leave out.
    """

    liberty: list[str] = field(default_factory=list)
    dont_use: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes
    ----------
    model : str
        As ``models quantize`` takes it, or, where nothing is evaluated, as ``sim cost`` does.
    candidates : dict of str to list
        Values of parameters of :class:`explore.candidate.Candidate`: each with each.
    objectives : list of str
        Names of :data:`explore.metrics.METRICS`.
    at_most, at_least : dict of str to float
        Constraints on metrics.
    context : int
        Tokens before the one that is priced.
    head : str
        Format of the head, as ``sim cost`` takes it.
    evaluate : Judged
    synthesize : Cells
    """

    model: str
    candidates: dict[str, list[Any]]
    objectives: list[str]
    at_most: Ends = field(default_factory=dict)
    at_least: Ends = field(default_factory=dict)
    context: int = 1024
    head: str = "int8"
    evaluate: Judged = field(default_factory=Judged)
    synthesize: Cells = field(default_factory=Cells)

    def __post_init__(self) -> None:
        _check_names("objective", self.objectives)
        require(len(self.objectives) > 0, "objectives", "be one metric or more", "none")
        twice = [name for name in self.objectives if self.objectives.count(name) > 1]
        require(not twice, "objectives", "be named once each", ", ".join(twice))
        for which, table in (("at_most", self.at_most), ("at_least", self.at_least)):
            _check_names("constraint", table)
            for name, end in table.items():
                require(isfinite(end), f"{which}.{name}", "be a finite number", end)
        for name in self.at_most.keys() & self.at_least.keys():
            low, high = self.at_least[name], self.at_most[name]
            require(low <= high, f"at_most.{name}", f"be at_least's {low:g} or more", high)
        _check_axes(self.candidates)
        if "board" in self.candidates:
            self._check_boards()
        require(self.context >= 0, "context", "be 0 or more", self.context)
        storage_of(self.head)
        self._check_rotations()

    def _check_boards(self) -> None:
        """Refuse what is not known of boards, or theirs to say."""
        for name in ("technology", "memory", "clock"):
            rule = "be left out where boards are given, which have their own"
            require(name not in self.candidates, name, rule, self.candidates.get(name))
        for name in (*self.objectives, *self.at_most, *self.at_least):
            rule = f"be known of a board (of these {', '.join(UNKNOWN)} are not)"
            require(name not in UNKNOWN, "objective or constraint", rule, name)

    def _check_rotations(self) -> None:
        """Refuse blocks that do not divide the inputs of each layer."""
        for name in self.candidates["format"]:
            rotation = Equivalence(None, None, Candidate(name).row.rotate)
            for linear in self.shape.linears:
                rotation.check_inputs(linear.inputs)

    @property
    def shape(self) -> Shape:
        """The model's layers."""
        return _shape(self.priced_model)

    @property
    def priced_model(self) -> str:
        """The model as ``sim cost`` takes it."""
        return SHAPES.get(self.model, self.model)

    @property
    def judges_accuracy(self) -> bool:
        """Whether perplexity is an objective or bounded."""
        return "perplexity" in {*self.objectives, *self.at_most}

    @property
    def calibrates(self) -> bool:
        """Whether a format is calibrated."""
        return any(Candidate(name).row.calibrate for name in self.candidates["format"])

    @property
    def size(self) -> int:
        """Combinations of all values."""
        count = 1
        for values in self.candidates.values():
            count *= len(values)
        return count

    def candidate(self, values: dict[str, Any]) -> Candidate:
        """Return the candidate of a value of each parameter; parameters without effect are plain.

        Raises
        ------
        ValueError
            There is no such format or circuit.
        """
        one = Candidate(**values)
        one = one if one.kind == "lut" else replace(one, table=2)
        if one.board:
            one = replace(one, clock=board_of(one.board).clock)
            self._check_board(one)
        return replace(one, digit=one.config.digit)

    def _check_board(self, one: Candidate) -> None:
        widest = max(linear.inputs for linear in (*self.shape.linears, self.shape.head))
        rule = f"take {widest} inputs of a layer"
        require(widest <= one.config.columns, f"board {one.board}", rule, one.config.columns)
        memory = board_of(one.board).memory
        room = memory.size if memory else 0
        need = model_bytes(self.shape, storage_for(one.spec), storage_of(self.head))
        rule = f"have room for the model's {need / 1e6:.1f} MB, as {one.spec}"
        require(need <= room, f"memory of board {one.board}", rule, f"{room / 1e6:.1f} MB")

    def grid(self) -> Iterator[Candidate | ValueError]:
        """Give each candidate once, or why a combination is none."""
        seen = set[Candidate]()
        for values in product(*self.candidates.values()):
            try:
                one = self.candidate(dict(zip(self.candidates, values, strict=True)))
            except ValueError as error:
                yield error
                continue
            if one not in seen:
                seen.add(one)
                yield one


@cache
def _shape(model: str) -> Shape:
    return shape_of(model)


def read_space(file: Path = DEFAULT) -> Space:
    """Read a space: TOML with the attributes of :class:`Space`.

    Raises
    ------
    ValueError
        It is no TOML, or breaks a rule.
    OSError
        There is no such file.
    """
    content = read_toml(file)
    try:
        return _typed(Space, content, "")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _check_names(what: str, names: Iterable[str]) -> None:
    for name in names:
        require(name in METRICS, what, f"be a known metric ({nearest(name, METRICS)})", name)


def _check_axes(axes: dict[str, list[Any]]) -> None:
    kinds = get_type_hints(Candidate)
    names = [one.name for one in fields(Candidate)]
    require(len(axes.get("format", [])) > 0, "candidates", "have a format", "none")
    for name, values in axes.items():
        require(
            name in names, "parameter of candidates", f"be known ({nearest(name, names)})", name
        )
        require(len(values) > 0, f"values of {name}", "be one or more", "none")
        for value in values:
            _value(kinds[name], value, f"value of {name}")
    for kind in axes.get("kind", []):
        require(kind in KINDS, "value of kind", f"be a known one ({nearest(kind, KINDS)})", kind)
    for clock in axes.get("clock", []):
        fine = isfinite(clock) and clock > 0
        require(fine, "value of clock", "be a finite number above 0 MHz", clock)
    for name in axes.get("technology", []):
        table_of(technologies(), "technology", name)
    for name in axes.get("memory", []):
        table_of(memories(), "memory", name)
    for name in axes.get("board", []):
        board_of(name)
    for name in axes["format"]:
        _ = Candidate(name).row
        storage_for(Candidate(name).spec)


def _typed(kind: type, content: dict[str, Any], path: str) -> Any:
    """Make a dataclass of a table, each value of its type."""
    hints = get_type_hints(kind)
    for name in content:
        require(name in hints, f"key of {path or 'a space'}",
                f"be a known one ({nearest(name, hints)})", name)  # fmt: skip
    needed = [
        one.name for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    ]  # fmt: skip
    missing = [name for name in needed if name not in content]
    require(not missing, "space", f"have {', '.join(needed)}", f"no {', '.join(missing)}")
    return kind(**{
        name: _value(hints[name], value, path + name) for name, value in content.items()
    })


def _value(kind: Any, value: Any, subject: str) -> Any:
    """Return a value of a type, or say what it must be."""
    origin = get_origin(kind)
    if hasattr(kind, "__dataclass_fields__"):
        require(isinstance(value, dict), subject, "be a table", value)
        return _typed(kind, value, f"{subject}.")
    if origin is list:
        require(isinstance(value, list), subject, "be a list", repr(value))
        return [_value(get_args(kind)[0], one, subject) for one in value]
    if origin is dict:
        require(isinstance(value, dict), subject, "be a table", repr(value))
        return {
            key: _value(get_args(kind)[1], one, f"{subject}.{key}") for key, one in value.items()
        }
    if kind is Any:
        return value
    if kind is float and type(value) is int:
        return float(value)
    require(type(value) is kind, subject, f"be of type {kind.__name__}", repr(value))
    return value
