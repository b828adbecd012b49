"""What is known of a row, in a JSON file of its own."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from models.device import machine
from models.files import whole_file
from models.provenance import made_by


@dataclass(frozen=True)
class Made:
    """What quantizing took.

    Attributes
    ----------
    seconds : float
        Loading and calibration text apart; of the last run alone where ``resumed``.
    peak_bytes : int
        Most resident memory of the process meanwhile, the float model included.
    resumed : bool
        Whether layers were there already that an interrupted run had left.
    """

    seconds: float
    peak_bytes: int
    resumed: bool


@dataclass(frozen=True)
class Record:
    """What was asked for, and what came of it so far.

    Attributes
    ----------
    asked : dict
        ``quantize`` and ``evaluate``: all that decides the figures of either.
    made : Made or None
        None until the layers are in their file.
    evaluated : list of dict
        :func:`models.eval.figures` of all tokens; where the integers read fewer, of those, too.
        Empty until then.
    reason : str
        Why the row has no figures; empty where it has, or is not finished.
    by : dict
        Command, commit and versions of the last run that added to the record.
    """

    asked: dict
    made: Made | None = None
    evaluated: list[dict] = field(default_factory=list)
    reason: str = ""
    by: dict = field(default_factory=dict)


def read_record(file: Path, asked: dict, defaults: dict | None = None) -> Record:
    """Return what the file knows of what is asked for.

    Parameters
    ----------
    defaults : dict or None
        Values of a format's options; those that a record lacks are younger than it, as is the sum
        of a calibration text, which then counts as the same.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
        before = found["asked"]["quantize"]
        if "options" in before:
            before["options"] = {**(defaults or {}), **before["options"]}
        if "calibrate_sha256" in asked["quantize"]:
            before.setdefault("calibrate_sha256", asked["quantize"]["calibrate_sha256"])
        made = found.pop("made")
        record = Record(**found, made=made and Made(**made))
        if record.asked == asked:
            return record
        return Record(asked, record.made if record.asked["quantize"] == asked["quantize"] else None)
    except (FileNotFoundError, ValueError, TypeError, AttributeError, LookupError):
        return Record(asked)


def write_record(file: Path, record: Record, device: torch.device | None = None) -> None:
    """Write the record, whole, with who made it, and where."""
    text = json.dumps(asdict(replace(record, by=_by(device or torch.device("cpu")))), indent=2)
    with whole_file(file) as part:
        part.write_text(text + "\n", "utf-8")


def _by(device: torch.device) -> dict:
    made = made_by("python -m models", "torch", "transformers")
    return made | {"machine": machine(device)}
