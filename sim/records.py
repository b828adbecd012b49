"""Records of the simulator's runs: a JSON file of entries by name, each with who made it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwgen.config import HardwareConfig
from models.files import whole_file
from models.provenance import made_by
from sim.tools import compiler_version, verilator_version

_PLAIN = asdict(HardwareConfig())


def settings(config: HardwareConfig) -> dict[str, Any]:
    """Return the parameters of a circuit that are not the default ones."""
    return {key: value for key, value in asdict(config).items() if value != _PLAIN[key]}


def shown(given: dict[str, Any]) -> str:
    """Return parameters in words."""
    return ", ".join(f"{key}={value}" for key, value in given.items()) or "the default circuit"


def entries(record: Path) -> dict[str, dict[str, Any]]:
    """Return what a record has; nothing without a file."""
    return json.loads(record.read_text()) if record.exists() else {}


def add_entry(record: Path, name: str, entry: dict[str, Any]) -> None:
    """Add an entry, or replace the one of this name, with command, commit and versions."""
    tools = {"verilator": verilator_version(), "compiler": compiler_version()}
    by = made_by("python -m sim", "torch", "transformers") | tools
    whole = entries(record) | {name: entry | {"by": by}}
    with whole_file(record) as part:
        part.write_text(json.dumps(dict(sorted(whole.items())), indent=1) + "\n")
