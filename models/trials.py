"""Formats tried on every layer: their bits, and what the model is expected to lose by them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.allocation import Candidate, Choices
from models.calibration.migration import Migration
from models.calibration.stream import calibrate
from models.calibration.wanted import Wanted, wanted_of
from models.codes import Activation
from models.dense import dense
from models.formats import parse
from models.formats.spec import Format
from models.llm import LLM
from models.sensitivity import expected_loss, output_sensitivity
from models.threads import one_thread

WINDOWS = 8
"""Windows of the text whose gradients are taken."""
ROWS = 64
"""Rows of a matrix on which formats are tried."""


def measure(
    llm: LLM,
    windows: Tensor,
    linears: Mapping[str, nn.Linear],
    formats: Sequence[str],
    how: Migration,
    activation: Activation,
    head: str = "",
    device: torch.device | None = None,
    known: Mapping[str, Choices] | None = None,
    keep: Callable[[dict[str, Choices]], None] = lambda _: None,
) -> dict[str, Choices]:
    """Try formats on all layers, each for the inputs that the float model gives it.

    Parameters
    ----------
    windows : int64, (windows, tokens)
    linears : mapping of str to Linear
        Layers to try them on; those that calibration does not reach are left out.
    formats : sequence of str
        As on the command line.
    how, activation, head, device
        As in :func:`models.calibration.stream.calibrate`.
    known : mapping of str to Choices, or None
        Layers that need not be tried.
    keep : callable
        Takes all that is known after each layer.

    Raises
    ------
    ValueError
        A layer cannot have one of the formats; the text names it.
    """
    weights = output_sensitivity(llm, windows[:WINDOWS], linears, device)
    found = dict(known or {})

    def tried(wanted: Wanted) -> None:
        if wanted.name in weights and wanted.name not in found:
            found[wanted.name] = candidates(wanted, weights[wanted.name], formats)
            keep(found)
            bar.update()

    with tqdm(total=len(linears), initial=len(found), desc="trying formats", unit="layer",
              leave=False) as bar:  # fmt: skip
        nothing = calibrate(
            llm, windows, how, activation, tried, lambda _: None, head, device=device
        )
        for _ in nothing:
            pass
    return found


@one_thread()
def sizes(linears: Mapping[str, nn.Linear], formats: Sequence[str]) -> dict[str, Choices]:
    """Return what layers store in formats; losses are 0, for unknown.

    No input is asked, so changes of inputs are not counted.

    Raises
    ------
    ValueError
        A layer cannot have one of the formats; the text names it.
    """
    known: dict[tuple[torch.Size, bool], list[Candidate]] = {}
    for name, linear in linears.items():
        kind = linear.weight.shape, linear.bias is not None
        if kind not in known:
            wanted = wanted_of(name, linear.weight.detach(), linear.bias, None)
            known[kind] = [
                Candidate(text, _bits(wanted, parse(text).hurried(), ROWS)[0], 0.0)
                for text in formats
            ]
    return {
        name: Choices(linear.weight.numel(), known[linear.weight.shape, linear.bias is not None])
        for name, linear in linears.items()
    }


@one_thread()
def candidates(
    wanted: Wanted, sensitivity: Tensor, formats: Sequence[str], rows: int = ROWS
) -> Choices:
    """Try formats on a layer.

    Where a format quantizes rows apart, only ``rows`` of them are tried, evenly spaced. The loss
    of all is then to theirs as the sensitivity of all outputs, times their energy, is to that of
    the tried ones. Bits are those of a format that stores so many for a row and so many for the
    layer.

    Parameters
    ----------
    wanted : Wanted
        With a Hessian.
    sensitivity : float32, (out,)
        As of :func:`models.sensitivity.output_sensitivity`.

    Raises
    ------
    ValueError
        The layer cannot have one of the formats; the text names it.
    """
    return Choices(
        wanted.target.numel(), [_candidate(wanted, sensitivity, text, rows) for text in formats]
    )


def _candidate(wanted: Wanted, sensitivity: Tensor, text: str, rows: int) -> Candidate:
    if wanted.hessian is None:
        raise ValueError(f"layer {wanted.name} must have a Hessian, got none")
    spec = parse(text)
    some = _rows(wanted, spec, rows)
    bits, values = _bits(wanted, spec, rows)
    lost = expected_loss(values - wanted.target[some], wanted.hessian, sensitivity[some]).sum()
    everything = expected_loss(wanted.target, wanted.hessian, sensitivity)
    part = float(everything[some].sum() / everything.sum().clamp(min=torch.finfo().tiny))
    return Candidate(text, bits, float(lost) / (part or 1.0))


def _rows(wanted: Wanted, spec: Format, rows: int) -> Tensor:
    """Return so many rows, evenly spaced; all where they are no more, or not quantized apart."""
    out = len(wanted.target)
    if rows >= out or not spec.by_rows:
        return torch.arange(out)
    return torch.linspace(0, out - 1, rows).round().long()


def _bits(wanted: Wanted, spec: Format, rows: int) -> tuple[int, Tensor]:
    """Return the bits of all rows, by those of some; and the values of these."""
    some = _rows(wanted, spec, rows)
    bits, values = _tried(wanted, spec, some)
    out = len(wanted.target)
    if len(some) < out:
        fewer = some[: len(some) // 2]
        row_bits = (bits - _tried(wanted, spec, fewer)[0]) / (len(some) - len(fewer))
        bits += round(row_bits * (out - len(some)))
    return bits, values


def _tried(wanted: Wanted, spec: Format, rows: Tensor) -> tuple[int, Tensor]:
    """Quantize some rows; their bits and values.

    Planes do not depend on activations, but layers for 1-bit ones have no matrix.
    """
    try:
        layer = spec.quantize(wanted.target[rows], wanted.name, Activation(), wanted.hessian)
    except ValueError as error:
        raise ValueError(f"layer {wanted.name}: {error}") from error
    bias = None if wanted.bias is None else wanted.bias.detach().float().numpy()[rows]
    whole = replace(layer, bias=bias, equivalence=wanted.equivalence)
    return whole.stored_bits, torch.from_numpy(dense(layer))
