"""Perplexity of formats: from committed records of ``models compare``, or quantized and measured.

A perplexity is never foretold. What no record of the same text, tokens and windows holds is unknown
until it is measured.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

from explore.space import Judged, Space
from models.checks import require
from models.compare.rows import Row
from models.fetch import MEMBER, SHA256
from models.kept import code_digest, digest_of

FILES = ("*.safetensors", "*.gguf", "*.json", "*.model", "*.txt")
"""What decides what a model in a folder computes."""


@dataclass(frozen=True)
class Score:
    """What a format keeps of a model.

    Attributes
    ----------
    perplexity : float
        Of the exact integers.
    bits : float
        Stored bits per weight.
    base : float
        Perplexity of the float model on the same tokens.
    calibrate : str
        Text that the layers were calibrated with, or ``none``.
    windows : int
        Of that text.
    source : str
        How it was measured.
    """

    perplexity: float
    bits: float
    base: float
    calibrate: str
    windows: int
    source: str


def recorded(folder: Path, space: Space) -> dict[Row, Score]:
    """Read the records of a folder that were measured as the space asks, or all alike.

    Where the space names no text, those of the text that most records share.
    """
    found: list[tuple[Row, tuple[Any, ...], Score]] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            record = json.loads(path.read_text("utf-8"))
            asked, judged = record["asked"]["quantize"], record["asked"]["evaluate"]
            done = record["evaluated"][-1]
        except (ValueError, LookupError, TypeError):
            continue
        if asked["model"] != space.model:
            continue
        row = Row(
            asked["format"], asked["act_bits"], asked["calibrate"] != "none",
            asked["layers"], asked.get("rotate", 0),
        )  # fmt: skip
        text = (judged["text"], judged["context"], done["tokens"], judged["tokens_sha256"])
        source = f"record {path.name}, commit {record['by']['commit']}"
        found.append((row, text, _score(done, asked, judged["text"], source)))
    texts = Counter(text for _, text, _ in found)
    wanted = _wanted(space.evaluate, texts)
    return {row: score for row, text, score in found if text == wanted}


def _wanted(judged: Judged, texts: Counter[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    """Return the text that records must be of; None if there is none such."""
    if judged.text:
        tokens = judged.tokens // judged.context * judged.context
        same = (Path(judged.text).name, judged.context, tokens)
        texts = Counter({text: count for text, count in texts.items() if text[:3] == same})
    return texts.most_common(1)[0][0] if texts else None


def _score(done: dict[str, Any], asked: dict[str, Any], text: str, source: str) -> Score:
    base, *_, exact = done["results"]
    judged = f"{done['tokens']} tokens of {text}, windows of {done['context']}"
    shown = f"integers on {judged}, head in float; {source}"
    return Score(exact["perplexity"], exact["bits_per_weight"], base["perplexity"],
                 asked["calibrate"], asked["windows"], shown)  # fmt: skip


def check_texts(space: Space) -> None:
    """Refuse texts that formats could not be evaluated or calibrated with.

    Raises
    ------
    ValueError
        No text is given.
    OSError
        One is not there.
    """
    from models.calibration.text import check_source

    judged = space.evaluate
    rule = "be given to evaluate formats (--text FILE, or --trust analytic)"
    require(bool(judged.text), "text", rule, "none")
    if not Path(judged.text).is_file():
        raise FileNotFoundError(f"text {judged.text} must be a text file, got none")
    if space.calibrates and judged.calibrate != "none":
        check_source(judged.calibrate)


def inputs_of(space: Space, row: Row) -> dict[str, Any]:
    """Return all that decides a row's perplexity, as plain data.

    Raises
    ------
    OSError
        A file is not there.
    """
    judged = space.evaluate
    calibrate = judged.calibrate if row.calibrate else "none"
    return {
        "model": space.model, "model sha256": model_digest(space.model), "row": asdict(row),
        "judged": asdict(replace(judged, calibrate=calibrate)),
        "text sha256": _content(Path(judged.text)),
        "calibrate sha256": _content(Path(calibrate)) if Path(calibrate).is_file() else "",
    }  # fmt: skip


def question_of(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what decides the answer: inputs but for their places, versions, code."""
    judged = {key: value for key, value in inputs["judged"].items() if key != "text"}
    if inputs["calibrate sha256"]:
        judged["calibrate"] = "file"
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"stage": "evaluate", **inputs, "model": "", "judged": judged, "versions": versions,
            "code": code_digest("models", "explore/accuracy.py")}  # fmt: skip


def evaluate(inputs: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Quantize the model and measure it; an interrupted evaluation goes on in ``scratch``.

    Raises
    ------
    ValueError
        The format cannot be quantized or evaluated.
    """
    from models.compare.run import Comparison, Plan

    judged, row = Judged(**inputs["judged"]), Row(**inputs["row"])
    folder = scratch / digest_of(question_of(inputs))[:32]
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(inputs["model"], judged.calibrate, judged.windows, Path(judged.text),
                judged.tokens, judged.context, versions=("integer",))  # fmt: skip
    record = Comparison(plan, folder).run(row)
    if record.reason:
        raise ValueError(record.reason)
    perplexity = record.evaluated[-1]["results"][-1]["perplexity"]
    require(perplexity is not None, row.label, "have a finite perplexity", "none")
    asked = record.asked["quantize"]
    score = _score(record.evaluated[-1], asked, Path(judged.text).name, "measured here")
    shutil.rmtree(folder)
    return asdict(score)


@cache
def model_digest(model: str) -> str:
    """Return a hash of a model's files; of a name on the Hub, the name."""
    path = Path(model)
    if model == "smollm2":
        return f"{SHA256} {MEMBER}"
    if path.is_file():
        return _content(path)
    if path.is_dir():
        return digest_of({file.name: _content(file) for file in _files(path)})
    return model


def _files(folder: Path) -> Iterator[Path]:
    for pattern in FILES:
        yield from sorted(folder.glob(pattern))


@cache
def _content(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
