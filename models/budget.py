"""Formats chosen layer by layer within a budget, once: an interrupted run goes on with them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.allocation import allocate
from models.calibration.migration import Migration
from models.checks import require
from models.codes import Activation
from models.files import blaming, whole_file
from models.llm import LLM
from models.quantize import head_of, parts_of
from models.trials import measure


def formats_within(
    budget: float,
    llm: LLM,
    windows: Tensor,
    linears: Mapping[str, nn.Linear],
    formats: Sequence[str],
    how: Migration,
    activation: Activation,
    file: Path,
    info: dict[str, str],
    device: torch.device | None = None,
) -> dict[str, str]:
    """Choose one of the formats for each layer.

    The choice waits with the finished layers of :func:`models.quantize.quantize_model`.

    Parameters
    ----------
    budget : float
        Bits a weight, of all layers together.
    file, info, device
        As :func:`models.quantize.quantize_model` takes them.

    Returns
    -------
    dict of str
        A format for each layer of ``linears``.

    Raises
    ------
    ValueError
        The budget is too small, or the text does not reach a layer.
    """
    kept = parts_of(file) / "formats.json"
    if kept.exists():
        found = json.loads(kept.read_text("utf-8"))
        if found["info"] == info:
            return found["formats"]
    head = head_of(llm, linears)
    measured = measure(llm, windows, linears, formats, how, activation, head, device)
    missed = [name for name in linears if name not in measured]
    require(not missed, "layers", "be reached by the text", f"{missed[:1]} that is not")
    chosen = {name: one.format for name, one in allocate(measured, budget).items()}
    with blaming(file):
        kept.parent.mkdir(exist_ok=True)
        with whole_file(kept) as part:
            part.write_text(json.dumps({"info": info, "formats": chosen}), "utf-8")
    return chosen
