"""The record of whole models on circuits, and the table of the page that quotes it."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
RECORD: dict[str, dict[str, Any]] = json.loads((DOCS / "records" / "generate.json").read_text())
HEADER = """\
| format | circuit | cycles a token | processor seconds a token | tokens, logits, integers equal |
|---|---|---|---|---|
"""


def row(asked: dict[str, Any], done: dict[str, Any]) -> str:
    """Return the line of the page's table that an entry of the record makes."""
    config = asked["config"]
    circuit = config.get("kind", "popcount")
    circuit += (
        f", `--digit {config['digit']}`" if circuit == "popcount" and "digit" in config else ""
    )
    tokens = f"{done['equal_tokens']} of {done['tokens']}"
    logits = "all" if done["equal_logits"] else "not all"
    integers = f"{done['integers'] - done['unequal']:,} of {done['integers']:,}"
    return (
        f"| `{asked['format']}` | {circuit} | {done['cycles_per_token']:,.0f} "
        f"| {done['cpu_seconds_per_token']:.2f} | {tokens}, {logits}, {integers} |"
    )


def test_three_formats_on_four_circuits_equal_the_reference() -> None:
    circuits = {
        (
            entry["asked"]["format"],
            entry["asked"]["config"].get("kind"),
            entry["asked"]["config"].get("digit"),
        )
        for entry in RECORD.values()
    }
    assert len(circuits) == 12
    for name, entry in RECORD.items():
        done = entry["done"]
        assert done["equal_tokens"] == done["tokens"] == 32, name
        assert done["equal_logits"], name
        assert done["unequal"] == 0 < done["integers"], name
        assert not entry["by"]["commit"].endswith("changed"), name


def test_table_of_the_page() -> None:
    rows = sorted(row(entry["asked"], entry["done"]) for entry in RECORD.values())
    assert HEADER + "\n".join(rows) + "\n" in (DOCS / "system.md").read_text("utf-8")
