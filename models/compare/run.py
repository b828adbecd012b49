"""Quantize and evaluate one format after another; what is recorded is not done again."""

import hashlib
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from models import eval as evaluation
from models.calibration.migration import Migration
from models.calibration.text import calibration_windows, check_text
from models.compare.record import Made, Record, read_record, write_record
from models.compare.rows import Row
from models.files import blaming
from models.llm import load
from models.quantize import choose, quantize_model
from models.scores import peak_bytes, reset_peak, tokens_hash, weights_hash
from models.store import open_layers


@dataclass(frozen=True)
class Plan:
    """What is the same for all rows.

    Attributes
    ----------
    model : str
        As :func:`models.llm.load` takes it.
    calibrate : str
        Text to calibrate with, as :func:`models.calibration.text.calibration_windows` takes it, or
        ``none``.
    windows : int
        Of that text.
    text : Path
        To evaluate on.
    tokens : int
        At most so many of it.
    context : int or None
        In one window, as :func:`models.eval.read_windows` takes it.
    integer_tokens : int or None
        At most so many for the exact reference, where they shall be fewer.
    versions : tuple of str
        As :func:`models.eval.evaluate` takes them.
    """

    model: str
    calibrate: str
    windows: int
    text: Path
    tokens: int
    context: int | None
    integer_tokens: int | None = None
    versions: tuple[str, ...] = tuple(evaluation.STAND_INS)


class Comparison:
    """Rows of one plan, with their records and files of layers in one folder.

    Parameters
    ----------
    device : torch.device or None
        Where texts are read; the CPU if not said.

    Raises
    ------
    ValueError, OSError
        As reading the model and the texts does.
    """

    def __init__(self, plan: Plan, folder: Path, device: torch.device | None = None) -> None:
        self.plan, self.folder, self.device = plan, folder, device
        with blaming(folder):
            folder.mkdir(exist_ok=True)
        llm = load(plan.model)
        self._weights = weights_hash(llm.model)
        if plan.calibrate != "none":
            check_text(llm, plan.calibrate, plan.windows)
        self._windows = evaluation.read_windows(llm, plan.text, plan.tokens, plan.context)
        self._fewer = self._windows
        if plan.integer_tokens is not None:
            self._fewer = evaluation.read_windows(
                llm, plan.text, min(plan.integer_tokens, plan.tokens), plan.context
            )

    def asked(self, row: Row) -> dict:
        """Return all that decides the figures of a row."""
        plan, calibrate = self.plan, self.plan.calibrate if row.calibrate else "none"
        changed: dict[str, int | str] = {}
        if row.rotate:
            changed["rotate"] = row.rotate  # others' records are older than it
        if Path(calibrate).is_file():
            changed["calibrate_sha256"] = hashlib.sha256(Path(calibrate).read_bytes()).hexdigest()
        text = tokens_hash(self._windows)
        return {
            "quantize": {
                "model": plan.model, "weights_sha256": self._weights,
                "format": row.format, "options": asdict(row.spec), "act_bits": row.act_bits,
                "layers": row.layers,
                "calibrate": calibrate, "windows": 0 if calibrate == "none" else plan.windows,
                **changed,
            },
            "evaluate": {
                "text": plan.text.name, "tokens_sha256": text, "context": self._windows.shape[1],
                "tokens": self._windows.numel(), "integer_tokens": self._fewer.numel(),
            },
        }  # fmt: skip

    def record(self, row: Row) -> Record:
        """Return what is known of a row."""
        defaults = {field.name: field.default for field in fields(row.spec)}
        return read_record(self._file(row, "json"), self.asked(row), defaults)

    def run(self, row: Row) -> Record:
        """Do what is missing of a row, and record it.

        Whatever goes wrong with the row becomes the reason in its record; a later run tries again.
        """
        record = replace(self.record(row), reason="")
        if record.evaluated:
            return record
        file = self._file(row, "safetensors")
        try:
            if record.made is None or not file.is_file():
                record = replace(record, made=self._made(row, file))
                write_record(self._file(row, "json"), record, self.device)
            record = replace(record, evaluated=self._evaluated(file))
        except Exception as error:  # a fault of one format must not cost the others
            users = isinstance(error, ValueError | OSError)
            line = " ".join(str(error).split())
            record = replace(record, reason=line if users else f"{type(error).__name__}: {line}")
        write_record(self._file(row, "json"), record, self.device)
        return record

    def share(self) -> None:
        """Put into the cache what all rows need: scores of the float model, text it makes up."""
        llm = load(self.plan.model)
        if self.plan.calibrate != "none":
            calibration_windows(llm, self.plan.calibrate, self.plan.windows)
        for windows, _ in self._readings():
            evaluation.score_float(llm, windows, device=self.device)

    def failed(self, row: Row, reason: str) -> None:
        """Record that a row ended without a word of its own."""
        record = replace(self.record(row), reason=reason)
        write_record(self._file(row, "json"), record, self.device)

    def _file(self, row: Row, kind: str) -> Path:
        return self.folder / f"{row.stem}.{kind}"

    def _made(self, row: Row, file: Path) -> Made:
        llm, asked = load(self.plan.model), self.asked(row)["quantize"]
        windows = None
        if asked["calibrate"] != "none":
            windows = calibration_windows(llm, asked["calibrate"], asked["windows"])
        info = {key: str(value) for key, value in asked.items() if key != "options"}
        resumed = file.with_name(f"{file.name}.parts").exists()
        reset_peak()
        begin = time.perf_counter()
        chosen = choose(llm, row.layers)
        quantize_model(
            llm, chosen, row.spec, row.activation, file, info, windows,
            Migration(rotation=row.rotate), self.device,
        )  # fmt: skip
        return Made(time.perf_counter() - begin, peak_bytes(), resumed)

    def _evaluated(self, file: Path) -> list[dict]:
        """Score the float model, the matrices and the integers; what is in the cache is not."""
        found = []
        with open_layers(file) as layers:
            for windows, versions in self._readings():
                llm = load(self.plan.model)
                results = evaluation.evaluate(
                    llm, layers, windows, device=self.device, versions=versions
                )
                found.append(evaluation.figures(list(results), windows))
        return found

    def _readings(self) -> list[tuple[Tensor, tuple[str, ...]]]:
        """Windows, and which versions of the model read them after the float one."""
        fewer, versions = len(self._fewer) < len(self._windows), self.plan.versions
        before = tuple(name for name in versions if name == evaluation.FAKE)
        return [*([(self._windows, before)] if fewer else []), (self._fewer, versions)]
