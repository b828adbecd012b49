"""Perplexity of a quantized model: in float, with quantized weights, and as circuits compute it.

The text is cut into windows that do not overlap, without a token for its beginning; every token
but the first of a window counts.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.checks import require
from models.cli import nearest
from models.fetch import cache_folder
from models.files import alone_in
from models.llm import LLM, linear_layers, window_of
from models.modules import DenseLinear, ReferenceLinear, replace_layers
from models.scores import Score, fingerprint, score
from models.store import BitplaneFile

VERSION = 1
"""Part of the name of kept scores; to be raised whenever the reference computes otherwise."""
CONTEXT = 1024
FAKE = "fake quant"
HEADER = "version      perplexity  to float  bits/weight   size MB   seconds   peak MB"
STAND_INS = {FAKE: DenseLinear, "integer": ReferenceLinear}
"""Versions of the model that have the file's layers in place of its own."""


@dataclass(frozen=True)
class Result:
    """Figures of one version of the model.

    Attributes
    ----------
    version : str
        ``float``, ``fake quant`` (the real matrices that the layers stand for, activations in
        float) or ``integer`` (the exact reference).
    perplexity : float or None
        None where ``reason`` says why there is none.
    bits_per_weight : float
        Of the file's layers.
    size_bytes : int
        Of the file, or of the same layers in float32.
    seconds : float
        For scoring all windows.
    peak_bytes : int
        See :class:`models.scores.Score`.
    """

    version: str
    perplexity: float | None
    bits_per_weight: float
    size_bytes: int
    seconds: float = 0.0
    peak_bytes: int = 0
    reason: str = ""


def read_windows(llm: LLM, text: Path, tokens: int, context: int | None) -> Tensor:
    """Cut the beginning of a text into windows.

    Parameters
    ----------
    context : int or None
        Tokens a window; 1024 when None, or what the model can read if that is less.

    Returns
    -------
    int64, (windows, context)
        As many whole windows as ``tokens`` and the text allow.

    Raises
    ------
    ValueError
        There is not one whole window, the context does not fit the model, or the file is no text.
    OSError
        There is no such file.
    """
    context = window_of(llm, context, CONTEXT)
    require(tokens >= context, "tokens", f"be at least one window of {context}", tokens)
    if not text.is_file():
        got = "a folder" if text.is_dir() else "none"
        raise FileNotFoundError(f"{text} must be a text file, got {got}")
    try:
        words = text.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{text} must be text in UTF-8, got: {error}") from error
    found = llm.tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"]
    rule = f"have at least {context} tokens, one window"
    require(len(found) >= context, str(text), rule, len(found))
    count = min(tokens, len(found)) // context
    return torch.tensor(found[: count * context]).reshape(count, context)


def evaluate(
    llm: LLM,
    file: BitplaneFile,
    windows: Tensor,
    batch: int = 1,
    device: torch.device | None = None,
    versions: Iterable[str] = tuple(STAND_INS),
) -> Iterator[Result]:
    """Score the model in float, then with the file's layers in place of its own.

    The model is used up: its layers are replaced one by one and not put back. Scores are kept in
    the cache, by content of model, file and window, so an interrupted evaluation goes on.

    Parameters
    ----------
    windows : int64, (windows, context)
    batch : int
        Windows that are read at once.
    device : torch.device or None
        Where the model is computed, integers too; the CPU if not said.
    versions : names of :data:`STAND_INS`
        That follow the float model.

    Raises
    ------
    ValueError
        The file's layers are not the model's; or a model computes what it cannot read itself.
    OSError
        The cache cannot be written.
    """
    require(batch >= 1, "batch", "be 1 or more", batch)
    weights, bits = check_layers(llm, file)
    where = device or torch.device("cpu")
    model = fingerprint(llm.model)
    scores = score_float(llm, windows, batch, where)
    yield _result("float", scores, windows, 32.0, 4 * weights)
    with file.path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    size = file.path.stat().st_size
    for version in versions:
        stand_in, layers = STAND_INS[version], (file.layer(name) for name in file.names)
        try:
            replace_layers(llm.model, layers, lambda layer, kind=stand_in: kind(layer).to(where))
        except ValueError as error:
            if version != FAKE:
                raise
            yield Result(version, None, bits / weights, size, reason=str(error))
            continue
        record = _record(where, version, model, content)
        scores = score(llm.model, windows, batch, record, version)
        yield _result(version, scores, windows, bits / weights, size)


def score_float(
    llm: LLM, windows: Tensor, batch: int = 1, device: torch.device | None = None
) -> list[Score]:
    """Score the float model, which moves to the device; what the cache has is not done again.

    Other programs that want the same scores wait for them.
    """
    where = device or torch.device("cpu")
    record = _record(where, "float", fingerprint(llm.model))
    nn.Module.to(llm.model, where)
    lock = record.with_suffix(".lock")
    lock.mkdir(parents=True, exist_ok=True)
    with alone_in(lock):
        return score(llm.model, windows, batch, record, "float")


def report(results: list[Result]) -> str:
    """Return the figures as a table."""
    lines = [HEADER]
    base = results[0].perplexity
    for result in results:
        if result.perplexity is None:
            lines.append(f"{result.version:<11} none: {result.reason}")
            continue
        times = result.perplexity / base if base else math.nan
        lines.append(
            f"{result.version:<11}"
            f"{result.perplexity:>12.6g}"
            f"{times:>10.5g}"
            f"{result.bits_per_weight:>13.3f}"
            f"{result.size_bytes / 1e6:>10.1f}"
            f"{result.seconds:>10.1f}"
            f"{result.peak_bytes / 1e6:>10.0f}"
        )
    return "\n".join(lines)


def figures(results: list[Result], windows: Tensor) -> dict:
    """Return the figures for JSON."""
    count, context = windows.shape
    return {"windows": count, "context": context, "tokens": count * context,
            "results": [asdict(result) for result in results]}  # fmt: skip


def check_layers(llm: LLM, file: BitplaneFile) -> tuple[int, int]:
    """Check that the file's layers are the model's; return their weights and stored bits."""
    own, weights, bits = linear_layers(llm, head=True), 0, 0
    for name in file.names:
        if name not in own:
            raise ValueError(
                f"{file.path} must hold layers of {llm.name}, got {name}; {nearest(name, own)}"
            )
        layer, want = file.layer(name), tuple(own[name].weight.shape)
        subject = f"layer {name} of {file.path}"
        require((layer.out, layer.inputs) == want, subject,
                f"have the model's shape {want}", (layer.out, layer.inputs))  # fmt: skip
        weights += own[name].weight.numel()
        bits += layer.stored_bits
    require(weights > 0, str(file.path), "hold a layer", "none")
    return weights, bits


def _record(device: torch.device, *parts: str) -> Path:
    """Return the file of the scores of a version of a model on a device."""
    where = [] if device.type == "cpu" else [device.type]
    text = " ".join([str(VERSION), *parts, *where])
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return cache_folder() / "scores" / f"{name}.json"


def _result(
    version: str, scores: list[Score], windows: Tensor, bits_per_weight: float, size: int
) -> Result:
    count, context = windows.shape
    mean = math.fsum(one.loss for one in scores) / (count * (context - 1))
    known = mean < 700  # also not a NaN; e**700 is near the end of float64
    reason = "" if known else f"the mean loss is {mean:.4g}"
    return Result(
        version, math.exp(mean) if known else None, bits_per_weight, size,
        sum(one.seconds for one in scores), max(one.peak_bytes for one in scores), reason,
    )  # fmt: skip
