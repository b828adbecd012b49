"""Liberty files: their groups and attributes, read, merged, thinned and written."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models.checks import require

TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.)*"|:[ \t]*(?:"(?:[^"\\]|\\.)*"|[^;\n{}]*)'
    r'|[{}();,]|[^\s{}();:,"]+',
    re.DOTALL,
)
"""A simple attribute's colon and value are one token, which a line's end ends like a semicolon:
some libraries leave that out.
"""


@dataclass
class Group:
    """A group: ``kind (arguments) { attributes and groups }``.

    Attributes
    ----------
    kind : str
    arguments : list of str
    attributes : dict of str to list of str
        Simple and complex ones; the last one counts where a name stands twice.
    groups : list of Group
    """

    kind: str
    arguments: list[str]
    attributes: dict[str, list[str]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The first argument."""
        return self.arguments[0] if self.arguments else ""

    def of(self, kind: str) -> Iterator["Group"]:
        """Yield the groups of a kind."""
        return (group for group in self.groups if group.kind == kind)

    def get(self, name: str, default: str = "") -> str:
        """Return the value of an attribute."""
        return self.attributes.get(name, [default])[0]

    def number(self, name: str) -> float:
        """Return the value of an attribute that is a number.

        Raises
        ------
        ValueError
            There is none.
        """
        text = self.get(name)
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(
                f"{self.kind} {self.name} must have a number as {name}, got {text or 'none'}"
            ) from error


def read(paths: list[Path]) -> Group:
    """Read a library that is spread over one file or several, plain or gzipped.

    Units and templates are those of the first file; all must have the same units.

    Raises
    ------
    ValueError
        A file is no whole Liberty file, or its units differ from those of the first.
    OSError
        A file cannot be read.
    """
    libraries = [parse(_text(path), str(path)) for path in paths]
    first = libraries[0]
    for path, library in zip(paths[1:], libraries[1:], strict=True):
        for unit in ("time_unit", "capacitive_load_unit", "leakage_power_unit", "nom_voltage"):
            have, want = library.attributes.get(unit), first.attributes.get(unit)
            require(have == want, f"{unit} of {path}", f"be that of {paths[0]}, {want}", have)
        known = {(group.kind, group.name) for group in first.groups}
        first.groups += [g for g in library.groups if (g.kind, g.name) not in known]
    return first


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError) as error:
            raise ValueError(f"{path} must be a whole gzip file, got: {error}") from error
    return data.decode("utf-8", "replace")


def parse(text: str, source: str) -> Group:
    """Parse the text of one library.

    Parameters
    ----------
    source : str
        What to call it in errors.

    Raises
    ------
    ValueError
        It ends too early, or is no library.
    """
    text = text.replace("\\\n", " ")
    tokens = (match[0] for match in TOKEN.finditer(text) if not _comment(match[0]))
    root = Group("file", [])
    open_groups = [root]
    name = ""
    arguments: list[str] | None = None
    inside = False
    for token in tokens:
        if token == "(":
            arguments, inside = [], True
        elif token == ")":
            inside = False
        elif inside and arguments is not None:
            if token != ",":
                arguments.append(token.strip('"'))
        elif token[0] == ":":
            open_groups[-1].attributes[name] = [token[1:].strip().strip('"')]
            name = ""
        elif token == "{":
            group = Group(name, arguments or [])
            open_groups[-1].groups.append(group)
            open_groups.append(group)
            name, arguments = "", None
        else:
            if name and arguments is not None:
                open_groups[-1].attributes[name] = arguments
            name, arguments = "", None
            if token == "}":
                require(len(open_groups) > 1, source, "open what it closes", "one } too many")
                open_groups.pop()
            elif token != ";":
                name = token
    where = " in ".join(f"{group.kind} {group.name}" for group in open_groups[:0:-1])
    require(len(open_groups) == 1, source, "close every group", f"its end in {where}")
    libraries = list(root.of("library"))
    require(len(libraries) == 1, source, "be a Liberty file of one library", len(libraries))
    return libraries[0]


def _comment(token: str) -> bool:
    return token.startswith(("/*", "//"))


def write(group: Group, depth: int = 0) -> str:
    """Return the text of a group."""
    space = " " * depth
    lines = [f"{space}{group.kind} ({', '.join(map(_quoted, group.arguments))}) {{"]
    for name, values in group.attributes.items():
        if len(values) == 1 and name not in ("values", "index_1", "index_2"):
            lines.append(f"{space} {name} : {_quoted(values[0])};")
        else:
            lines.append(f"{space} {name} ({', '.join(map(_quoted, values))});")
    lines += [write(inner, depth + 1) for inner in group.groups]
    return "\n".join([*lines, f"{space}}}"])


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.+-]+", text) else f'"{text}"'


def thinned(library: Group, cells: set[str]) -> Group:
    """Return what synthesis needs of a library: some cells, one timing arc for each input.

    Conditional arcs beyond the first, power, noise and waveforms are left out: reading these takes
    most of the time of a synthesis.
    """
    kept = [group for group in library.groups if group.kind == "lu_table_template"]
    kept += [_thin_cell(cell) for cell in library.of("cell") if cell.name in cells]
    return Group("library", library.arguments, library.attributes, kept)


def _thin_cell(cell: Group) -> Group:
    groups = []
    for group in cell.groups:
        if group.kind in ("ff", "latch", "statetable"):
            groups.append(group)
        elif group.kind == "pin":
            arcs: dict[tuple[str, str], Group] = {}
            for arc in group.of("timing"):
                arcs.setdefault((arc.get("related_pin"), arc.get("timing_type")), _thin_arc(arc))
            groups.append(Group("pin", group.arguments, group.attributes, list(arcs.values())))
    return Group("cell", cell.arguments, cell.attributes, groups)


def _thin_arc(arc: Group) -> Group:
    tables = ("cell_rise", "cell_fall", "rise_transition", "fall_transition",
              "rise_constraint", "fall_constraint")  # fmt: skip
    groups = [group for group in arc.groups if group.kind in tables]
    return Group("timing", arc.arguments, arc.attributes, groups)
