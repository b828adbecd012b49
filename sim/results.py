"""Results page: every committed record as a table, with the command that made it."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cost.report import table_of
from fpga.report import table as boards_table

RECORDS = Path("docs/records")

INTRODUCTION = """\
# Results from records

Written by `python -m sim results` from `docs/records`, as they are: nothing is typed by hand."""


def page(records: Path = RECORDS) -> str:
    """Return Markdown with a section for each record that the folder has.

    Raises
    ------
    OSError
        There is no such folder.
    ValueError
        A record is no JSON.
    """
    if not records.is_dir():
        raise NotADirectoryError(f"{records} must be a folder of records, got none")
    found = [INTRODUCTION]
    for title, pattern, command, section in SECTIONS:
        for file in sorted(records.glob(pattern)):
            body = section(file)
            if body:
                name = title.format(file.stem)
                found += ["", f"## {name}", "", f"`{command.format(file.stem)}`", "", body]
    return "\n".join(found) + "\n"


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} must be JSON, got: {error}") from error


def _formats(file: Path) -> str:
    return file.read_text("utf-8").strip()


def _cells(file: Path) -> str:
    return f"```\n{table_of(_read(file))}\n```"


def _boards(file: Path) -> str:
    return boards_table(_read(file)).strip()


def _units(file: Path) -> str:
    rows = [
        [name, str(one["lut4"]), str(one["registers"]), f"{one['fmax_median']:.0f}",
         f"{one['lut4_per_mac_per_cycle']:.2f}"]
        for name, one in _read(file).items()
    ]  # fmt: skip
    return _table(["unit", "LUT4", "registers", "MHz, median", "LUT4 for a MAC a cycle"], rows)


def _engines(file: Path) -> str:
    rows = [
        [name, str(one["engine"]["lut4"]), str(one["engine"]["registers"]),
         str(one["engine"]["multipliers"]), str(one["config"]["pe"] * one["element"]["lut4"]),
         f"{100 * one['overhead']:.1f} %"]
        for name, one in _read(file).items()
    ]  # fmt: skip
    return _table(["engine", "LUT4", "registers", "multipliers", "LUT4 of its PEs", "more"], rows)


def texts(record: Mapping[str, dict[str, Any]]) -> str:
    """Return a record of :mod:`sim.verify` as a table."""
    return _table(
        ["format", "circuit", "cycles a token", "processor seconds a token",
         "tokens, logits, integers equal", "commit"],
        sorted(_text(entry["asked"], entry["done"], entry["by"]) for entry in record.values()),
    )  # fmt: skip


def _text(asked: dict[str, Any], done: dict[str, Any], by: dict[str, str]) -> list[str]:
    config = asked["config"]
    circuit = config.get("kind", "popcount")
    if circuit == "popcount" and "digit" in config:
        circuit += f", `--digit {config['digit']}`"
    tokens = f"{done['equal_tokens']} of {done['tokens']}"
    logits = "all" if done["equal_logits"] else "not all"
    integers = f"{done['integers'] - done['unequal']:,} of {done['integers']:,}"
    cycles, seconds = f"{done['cycles_per_token']:,.0f}", f"{done['cpu_seconds_per_token']:.2f}"
    equal = f"{tokens}, {logits}, {integers}"
    return [f"`{asked['format']}`", circuit, cycles, seconds, equal, by["commit"]]


def _texts(file: Path) -> str:
    whole = {name: entry for name, entry in _read(file).items() if "asked" in entry}
    return texts(whole) if whole else ""  # entries of older versions do not say what was asked


def _facts(file: Path) -> str:
    return _table(["", ""], [[name, str(value)] for name, value in _read(file).items()])


def _mutations(file: Path) -> str:
    rows = [
        [name, f"`{one['from']}`", f"`{one['to']}`", _found(one["proof"]), _found(one["bench"])]
        for name, one in _read(file).items()
    ]  # fmt: skip
    return _table(["mutant", "from", "to", "proof", "bench"], rows)


def _coverage(file: Path) -> str:
    record = _read(file)
    heads = ["bins", "run", "explained", "unexplained", "impossible", "layers"]
    rows = [
        [name, " x ".join(one["axes"]), *(str(one[head]) for head in heads)]
        for name, one in record["crosses"].items()
    ]
    return "\n".join([_table(["cross", "of", *heads], rows), "", *record["reasons"]])


def _found(value: object) -> str:
    return "found" if value else "missed"


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
                     for line in lines)  # fmt: skip


SECTIONS: tuple[tuple[str, str, str, Callable[[Path], str]], ...] = (
    ("Perplexity of formats", "*/table.md", "python -m models compare", _formats),
    ("Elements on {}", "sky130.json", "python -m sim synth LIBERTY --standard", _cells),
    ("Elements on {}", "sg13g2.json", "python -m sim synth LIBERTY --standard", _cells),
    ("Elements on {}", "asap7.json", "python -m sim synth LIBERTY --standard", _cells),
    ("Units on an ECP5", "ecp5.json", "python -m fpga records docs/records/ecp5.json", _units),
    ("Whole engines on an ECP5", "ecp5_engines.json",
     "python -m fpga engine --seeds --records docs/records/ecp5_engines.json", _engines),
    ("Boards", "boards.json", "python -m fpga report BOARD --records docs/records/boards.json",
     _boards),
    ("Texts by the circuit", "generate.json",
     "python -m sim verify FILE --record docs/records/generate.json", _texts),
    ("Long runs", "soak.json", "python -m sim soak --layers 1000 --circuits 40", _facts),
    ("Random circuits", "sweep.json", "python -m sim sweep --count 220 --seed 0 --json", _facts),
    ("Functional coverage of the benches", "coverage.json",
     "python -m sim coverage -o docs/records/coverage.json", _coverage),
    ("What is broken on purpose is found", "mutations.json", "python tests/mutations.py",
     _mutations),
)  # fmt: skip
"""Title, files, command and what makes the body of each section."""
