"""Formats chosen layer by layer within a budget; what was measured waits for the next try."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from models.allocation import Candidate, Choices, allocate
from models.calibration.migration import Migration, check_layers
from models.checks import require
from models.codes import Activation
from models.files import blaming, whole_file
from models.llm import LLM
from models.quantize import head_of, parts_of
from models.scores import content_of
from models.trials import measure, sizes


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

    What was measured of a layer waits with the finished layers of
    :func:`models.quantize.quantize_model`, for this budget or another.

    Parameters
    ----------
    budget : float
        Bits a weight, of all layers together.
    file, info, device
        As :func:`models.quantize.quantize_model` takes them; the info without the budget.

    Returns
    -------
    dict of str
        A format for each layer of ``linears``.

    Raises
    ------
    ValueError
        The budget is too small, or the text does not reach a layer.
    """
    check_layers(how, linears)
    allocate(sizes(linears, formats), budget)  # what cannot be is refused at once
    kept, whole = parts_of(file) / "measured.json", info | content_of(llm.model, windows)
    measured = _known(kept, whole)
    if measured.keys() != linears.keys():

        def keep(layers: dict[str, Choices]) -> None:
            with blaming(file):
                kept.parent.mkdir(exist_ok=True)
            content = {name: asdict(one) for name, one in layers.items()}
            with whole_file(kept) as part:
                part.write_text(json.dumps({"info": whole, "layers": content}), "utf-8")

        head = head_of(llm, linears)
        measured = measure(
            llm, windows, linears, formats, how, activation, head, device, measured, keep
        )
        missed = [name for name in linears if name not in measured]
        require(not missed, "layers", "be reached by the text", f"{missed[:1]} that is not")
    return {name: one.format for name, one in allocate(measured, budget).items()}


def _known(kept: Path, info: dict[str, str]) -> dict[str, Choices]:
    """Return what an earlier run of this very model and text measured, if one did."""
    try:
        found = json.loads(kept.read_text("utf-8"))
        if found["info"] != info:
            return {}
        return {
            name: Choices(one["weights"], [Candidate(**tried) for tried in one["candidates"]])
            for name, one in found["layers"].items()
        }
    except (FileNotFoundError, ValueError, TypeError, AttributeError, LookupError):
        return {}  # there is none, or it was damaged
