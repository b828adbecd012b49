"""The record of whole models on circuits, and the table of the page that quotes it."""

import json
from pathlib import Path
from typing import Any

from sim.results import texts

DOCS = Path(__file__).parents[1] / "docs"
RECORD: dict[str, dict[str, Any]] = json.loads((DOCS / "records" / "generate.json").read_text())


def test_all_entries_equal_the_reference() -> None:
    assert RECORD
    for name, entry in RECORD.items():
        done = entry["done"]
        assert done["equal_tokens"] == done["tokens"] == 32, name
        assert done["equal_logits"], name
        assert done["unequal"] == 0 < done["integers"], name
        assert not entry["by"]["commit"].endswith("changed"), name


def test_table_of_the_page() -> None:
    assert texts(RECORD) in (DOCS / "system.md").read_text("utf-8")
