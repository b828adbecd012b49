"""Quantize the linear layers of a model into a file; interrupted work goes on where it stopped."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.bitplane import BitplaneLayer
from models.calibration.migration import Migration, check_layers
from models.calibration.stream import calibrate
from models.calibration.wanted import Wanted, wanted_of
from models.cli import nearest
from models.codes import Activation
from models.equivalence import Equivalence
from models.files import blaming, check_output
from models.formats.spec import Format
from models.left import say_left
from models.llm import LLM, check_finite, linear_layers
from models.scores import content_of
from models.store import open_layers, save


def quantize_model(
    llm: LLM,
    chosen: dict[str, nn.Linear],
    spec: Format | Callable[[str], Format],
    activation: Activation,
    file: Path,
    info: dict[str, str],
    windows: Tensor | None = None,
    how: Migration | None = None,
    device: torch.device | None = None,
) -> None:
    """Quantize layers one by one and write them to a file.

    Finished layers wait in a folder beside the file, from which the same command, on the same
    weights and text, goes on after an interruption; it is removed in the end.

    Parameters
    ----------
    chosen : dict of Linear
        Layers of the model by name, see :func:`choose`.
    spec : Format, or callable
        The format, or what returns the format of the layer of a name.
    info : dict of str
        What was asked for: goes into the file's header, and tells whether finished layers fit.
    windows : int64, (windows, tokens), or None
        Text to calibrate with, see :func:`models.calibration.stream.calibrate`; layers that it
        does not reach are quantized for their weights alone, and all are without it.
    how : Migration or None
        How inputs are changed first; without a text, they can be rotated only.
    device : torch.device or None
        Where the text is read; the CPU if not said. Layers are fitted on the CPU.

    Raises
    ------
    ValueError
        A layer cannot be quantized; the text names it.
    OSError
        The folder of the file is missing or cannot be written.
    """
    check_output(file)
    check_layers(how or Migration(), chosen)
    whole = info | content_of(llm.model, windows)
    with _waiting_beside(file) as parts:
        work = _Work(parts, whole, spec, activation, chosen, how or Migration())
        with tqdm(total=len(chosen), desc="quantizing", unit="layer", leave=False) as bar:
            for _ in _all_layers(llm, work, windows, device):
                bar.update()
        save(file, map(work.layer, chosen), info)


def parts_of(file: Path) -> Path:
    """Return the folder in which finished layers wait until all of them are."""
    return file.with_name(f"{file.name}.parts")


def choose(llm: LLM, pattern: str = "*", head: bool = False) -> dict[str, nn.Linear]:
    """Return the layers to quantize, by name.

    Parameters
    ----------
    pattern : str
        Shell pattern of the layers' names.
    head : bool
        With the layer that gives the logits, whatever the pattern.

    Raises
    ------
    ValueError
        No layer fits the pattern, or one has weights that are not finite.
    """
    layers = linear_layers(llm, head)
    fits = [name for name in layers if fnmatch(name, pattern)]
    if not fits:
        raise ValueError(
            f"layers must be some of the model's {len(layers)}, got '{pattern}'; "
            f"{nearest(pattern, layers)}"
        )
    wanted = {*fits, head_of(llm, layers)}
    chosen = {name: layer for name, layer in layers.items() if name in wanted}
    for name, layer in chosen.items():
        check_finite(name, layer.weight)
    return chosen


def head_of(llm: LLM, layers: Mapping[str, nn.Linear]) -> str:
    """Return the name of the layer that gives the logits if it is among these, else nothing."""
    last = llm.model.get_output_embeddings()
    return next((name for name, linear in layers.items() if linear is last), "")


@contextmanager
def _waiting_beside(file: Path) -> Iterator[Path]:
    """Give the folder in which finished layers wait; it goes when they are written, or are none."""
    parts = parts_of(file)
    with blaming(file):
        parts.mkdir(exist_ok=True)
    try:
        yield parts
    except BaseException:
        for cut in parts.glob(".*"):  # by an interrupt before anyone held the file
            cut.unlink()
        with suppress(OSError):  # there is something in it
            parts.rmdir()
        raise
    shutil.rmtree(parts)


class _Work:
    """The layers to quantize, and the folder in which finished ones wait."""

    def __init__(
        self,
        parts: Path,
        info: dict[str, str],
        spec: Format | Callable[[str], Format],
        activation: Activation,
        chosen: dict[str, nn.Linear],
        how: Migration,
    ) -> None:
        self.parts, self.info, self.spec = parts, info, spec
        self.activation, self.chosen, self.how = activation, chosen, how

    def finished(self, name: str) -> BitplaneLayer | None:
        """Return the layer that an earlier, interrupted run of the same command left, whole."""
        try:
            with open_layers(self._part(name)) as layers:
                return layers.layer(name) if layers.info == self.info else None
        except (ValueError, FileNotFoundError):
            return None

    def layer(self, name: str) -> BitplaneLayer:
        """Return a layer that is kept."""
        with open_layers(self._part(name)) as layers:
            return layers.layer(name)

    def _part(self, name: str) -> Path:
        return self.parts / f"{name}.safetensors"

    def quantized(self, wanted: Wanted) -> BitplaneLayer:
        """Quantize a layer, and keep it."""
        name, bias = wanted.name, wanted.bias
        spec = self.spec if isinstance(self.spec, Format) else self.spec(name)
        try:
            layer = spec.quantize(wanted.target, name, self.activation, wanted.hessian)
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from error
        own = None if bias is None else bias.detach().float().numpy()
        layer = replace(layer, bias=own, equivalence=wanted.equivalence)
        save(self._part(name), [layer], self.info)
        return layer


def _all_layers(
    llm: LLM, work: _Work, windows: Tensor | None, device: torch.device | None
) -> Iterator[BitplaneLayer]:
    """Quantize what the calibration reaches, then the others."""
    left, how = dict(work.chosen), work.how
    if windows is not None:

        def quantized(wanted: Wanted) -> BitplaneLayer | None:
            return work.quantized(wanted) if wanted.name in work.chosen else None

        head = head_of(llm, left)
        layers = calibrate(
            llm, windows, how, work.activation, quantized, work.finished, head, set(left),
            device=device,
        )  # fmt: skip
        for layer in layers:
            del left[layer.name]
            yield layer
    for name, linear in left.items():
        change = Equivalence(rotation=how.rotation) if how.rotation else None
        wanted = wanted_of(name, linear.weight.detach(), linear.bias, change)
        yield work.finished(name) or work.quantized(wanted)
    say_left(llm.model)
