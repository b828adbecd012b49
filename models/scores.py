"""How well a model foretells a text: a loss for each window, kept so that work can go on."""

import hashlib
import json
import math
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import PreTrainedModel

from models.files import whole_file

ROWS = 256
"""Tokens whose logits are held a second time at once."""


@dataclass(frozen=True)
class Score:
    """What one window gave.

    Attributes
    ----------
    loss : float
        Sum of the negative log-likelihoods of all its tokens but the first, natural logarithm.
    seconds : float
        Its part of the time that its batch took.
    peak_bytes : int
        Most resident memory of the process while it was scored, mapped files included; since the
        start of the process where the system does not let us reset the mark.
    """

    loss: float
    seconds: float
    peak_bytes: int


def score(
    model: PreTrainedModel, windows: Tensor, batch: int, record: Path, label: str
) -> list[Score]:
    """Score windows; those in the record are taken from there.

    Parameters
    ----------
    windows : int64, (windows, context)
    batch : int
        Windows that are read at once.
    record : Path
        JSON file with the scores by content of the window; written after every batch. It must
        belong to this very model.
    label : str
        Stands before the progress bar.

    Raises
    ------
    ValueError
        A layer gets inputs that it cannot read, infinite ones for example.
    OSError
        The record cannot be written.
    """
    names = [hashlib.sha256(window.numpy().tobytes()).hexdigest()[:32] for window in windows]
    known = _read(record)
    rest = [n for n, name in enumerate(names) if name not in known]
    with tqdm(total=len(names), initial=len(names) - len(rest), desc=label, unit="window",
              leave=False) as bar:  # fmt: skip
        for start in range(0, len(rest), batch):
            mine = rest[start : start + batch]
            reset_peak()
            begin = time.perf_counter()
            losses = _losses(model, windows[mine])
            seconds = (time.perf_counter() - begin) / len(mine)
            for n, loss in zip(mine, losses, strict=True):
                known[names[n]] = Score(loss, seconds, peak_bytes())
            _write(record, known)
            bar.update(len(mine))
    return [known[name] for name in names]


def fingerprint(model: PreTrainedModel) -> str:
    """Return a hash of all that decides what a model computes: weights and configuration."""
    versions = f"{torch.__version__} {transformers.__version__} {model.config.to_json_string()}"
    return hashlib.sha256(f"{versions} {weights_hash(model)}".encode()).hexdigest()


def weights_hash(model: PreTrainedModel) -> str:
    """Return a hash of a model's weights and their names, the same on every machine."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def content_of(model: PreTrainedModel, windows: Tensor | None) -> dict[str, str]:
    """Return hashes of what a command only names: the model's weights, and the text."""
    found = {"weights_sha256": weights_hash(model)}
    if windows is not None:
        found["tokens_sha256"] = tokens_hash(windows)
    return found


def tokens_hash(windows: Tensor) -> str:
    """Return a hash of tokens; int64, (windows, tokens)."""
    return hashlib.sha256(windows.numpy().tobytes()).hexdigest()


def _losses(model: PreTrainedModel, windows: Tensor) -> list[float]:
    windows = windows.to(model.device)
    with torch.no_grad():
        logits = model(input_ids=windows, use_cache=False).logits  # (batch, context, words)
    return [
        math.fsum(
            float(cross_entropy(rows, words, reduction="none").double().sum())
            for rows, words in zip(mine[:-1].split(ROWS), window[1:].split(ROWS), strict=True)
        )
        for mine, window in zip(logits, windows, strict=True)
    ]


def _read(record: Path) -> dict[str, Score]:
    """Return the scores of a record; none if it is not there or not whole."""
    try:
        scores = json.loads(record.read_text("utf-8"))
        return {name: Score(**score) for name, score in scores.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _write(record: Path, scores: dict[str, Score]) -> None:
    text = json.dumps({name: asdict(score) for name, score in scores.items()})
    record.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(record) as part:
        part.write_text(text, "utf-8")


def reset_peak() -> None:
    """Let the mark of most memory start anew, as Linux allows for one's own process."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return


def peak_bytes() -> int:
    """Most memory of this process since the mark was reset."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        marks = [line.split() for line in lines if line.startswith("VmHWM:")]
        return 1024 * int(marks[0][1])
    except (OSError, LookupError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
