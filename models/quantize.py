"""Quantize the linear layers of a model into a file; interrupted work goes on where it stopped."""

import shutil
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from models.bitplane import BitplaneLayer
from models.cli import nearest
from models.codes import Activation
from models.files import blaming
from models.formats.spec import Format
from models.llm import LLM, check_finite, linear_layers
from models.store import open_layers, save


def quantize_model(
    llm: LLM,
    spec: Format,
    activation: Activation,
    file: Path,
    info: dict[str, str],
    pattern: str = "*",
    head: bool = False,
) -> None:
    """Quantize layers one by one and write them to a file.

    Finished layers wait in a folder beside the file, from which the same command goes on after
    an interruption; it is removed in the end.

    Parameters
    ----------
    info : dict of str
        What was asked for: goes into the file's header, and tells whether finished layers fit.
    pattern : str
        Shell pattern of the layers' names.
    head : bool
        Quantize the layer that gives the logits, too.

    Raises
    ------
    ValueError
        No layer fits the pattern, or a layer cannot be quantized; the text names it.
    OSError
        The folder of the file is missing or cannot be written.
    """
    layers = linear_layers(llm, head)
    chosen = {name: layer for name, layer in layers.items() if fnmatch(name, pattern)}
    if not chosen:
        raise ValueError(
            f"layers must be some of the model's {len(layers)}, got '{pattern}'; "
            f"{nearest(pattern, layers)}"
        )
    for name, layer in chosen.items():
        check_finite(name, layer.weight)
    parts = file.with_name(f"{file.name}.parts")
    with blaming(file):
        parts.mkdir(exist_ok=True)
    done: list[BitplaneLayer] = []
    for name, layer in tqdm(chosen.items(), desc="quantizing", unit="layer", leave=False):
        part = parts / f"{name}.safetensors"
        if (finished := _finished(part, name, info)) is None:
            try:
                finished = spec.quantize(layer.weight.detach(), name, activation)
            except ValueError as error:
                raise ValueError(f"layer {name}: {error}") from error
            if layer.bias is not None:
                finished = replace(finished, bias=layer.bias.detach().float().numpy())
            save(part, [finished], info)
        done.append(finished)
    save(file, done, info)
    shutil.rmtree(parts)


def _finished(part: Path, name: str, info: dict[str, str]) -> BitplaneLayer | None:
    """Return the layer that an earlier, interrupted run of the same command left."""
    if not part.exists():
        return None
    with open_layers(part) as layers:
        return layers.layer(name) if layers.info == info else None
