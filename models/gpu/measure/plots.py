"""Pictures of the records."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from models.checks import require
from models.files import whole_file


def speedups(folder: Path, tokens: int) -> dict[str, list[tuple[str, float]]]:
    """Return how many times faster than cuBLAS in FP16 each storage is, for each shape.

    Returns
    -------
    dict
        Storage to pairs of a shape and a ratio; shapes that were not reached are left out.
    """
    return _series(folder, tokens, "ratio")


def shares(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Return the share of the copy bandwidth at one token; as :func:`speedups`."""
    return _series(folder, 1, "bandwidth_share")


def _series(folder: Path, tokens: int, figure: str) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    file = folder / "decode.json"
    for row in _results(file).values():
        if isinstance(row, dict) and f"{tokens} tokens" in row:
            try:
                point = f"{row['out']} x {row['in']}", float(row[f"{tokens} tokens"][figure])
                found.setdefault(str(row["storage"]), []).append(point)
            except (ValueError, TypeError, LookupError) as error:
                raise ValueError(f"{file} must have {figure} of shapes, got: {error}") from error
    return found


def draw(folder: Path) -> list[Path]:
    """Draw what there are records for; PNG files beside them."""
    pictures = {
        "speed_1": (speedups(folder, 1), "times as fast as cuBLAS FP16, 1 token"),
        "speed_16": (speedups(folder, 16), "times as fast as cuBLAS FP16, 16 tokens"),
        "bandwidth": (shares(folder), "share of the copy bandwidth, 1 token"),
    }
    return [_bars(folder / f"{name}.png", *parts) for name, parts in pictures.items()]


def _results(path: Path) -> dict[str, Any]:
    require(path.exists(), "record", "be there: run python -m models.gpu record", path)
    try:
        results = json.loads(path.read_text("utf-8"))["results"]
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(f"record {path} must be JSON with results, got: {error}") from error
    require(isinstance(results, dict), f"record {path}", "have results by name", type(results))
    return results


def _weights(shape: str) -> int:
    out, columns = shape.split(" x ")
    return int(out) * int(columns)


def _bars(path: Path, series: dict[str, list[tuple[str, float]]], title: str) -> Path:
    labels = sorted({label for points in series.values() for label, _ in points}, key=_weights)
    figure, axes = plt.subplots(figsize=(10, 4))
    width = 0.8 / max(len(series), 1)
    for n, (name, points) in enumerate(series.items()):
        places = [labels.index(label) + n * width for label, _ in points]
        axes.bar(places, [value for _, value in points], width, label=name)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set_xticks([n + 0.4 for n in range(len(labels))], labels, rotation=45, ha="right")
    axes.set_ylabel(title)
    if series:
        axes.legend()
    figure.tight_layout()
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
    plt.close(figure)
    return path
