"""Measured tokens on a GPU: the records of ``python -m models.gpu record``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cost.gpu import MEASURED, GpuToken
from cost.interval import Interval
from cost.storage import Storage
from cost.workload import Shape
from models.checks import require

RECORDS = Path("docs/records/gpu")
"""Committed records."""

STAGE = "end_to_end"

NAMES = {"fp16": "FP16", "ternary": "ternary"}
"""Of formats in the records; others by their planes, as in ``k2``."""


def measured(folder: Path, gpu: str, model: Shape, storage: Storage) -> list[GpuToken]:
    """Return what a folder of records has of a model in a format on a GPU, by batch.

    Parameters
    ----------
    folder : Path
        With records ``end_to_end*.json``: for each batch, the last one begun counts. Without any
        nothing has been measured.
    gpu : str
        A name as in ``gpus.toml``; a record's own name of its GPU has it as a word.

    Raises
    ------
    ValueError
        A record is not one.
    """
    records = [(path, _record(path)) for path in sorted(folder.glob(f"{STAGE}*.json"))]
    wanted = f"{model.name}, {_name(storage)}, batch "
    found: dict[int, GpuToken] = {}
    for path, record in sorted(records, key=lambda pair: str(pair[1].get("begun"))):
        if gpu.lower() in str(record["gpu"]).lower().split():
            rows = [
                _token(row, f"measured: {path}, {record['gpu']}")
                for name, row in record["results"].items()
                if name.startswith(wanted) and isinstance(row, dict)
            ]  # fmt: skip
            found |= {one.batch: one for one in rows}
    return [found[batch] for batch in sorted(found)]


def _name(storage: Storage) -> str:
    return NAMES.get(storage.name.partition(":")[0], f"k{storage.planes}")


def _record(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} must be JSON, got: {error}") from error
    have = isinstance(record, dict) and {"gpu", "stage", "results"} <= set(record)
    require(have and record["stage"] == STAGE, f"record {path}", f"be of the stage {STAGE}",
            record.get("stage", "none") if isinstance(record, dict) else "none")  # fmt: skip
    return record


def _token(row: Mapping[str, Any], source: str) -> GpuToken:
    times, batch = row["seconds"], row["batch"]
    energy = row.get("energy")
    joules = None if energy is None else Interval.of(energy["joules_per_token"])
    seconds = Interval(min(times) / batch, max(times) / batch)
    return GpuToken(batch, seconds, joules, MEASURED, source, row["context"])
