"""Export ternary layers to GGUF without loss: alone, or in place of those of a model."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.checks import require
from models.cli import nearest
from models.files import whole_file
from models.interchange.gguf_names import Names, read_names
from models.interchange.gguf_source import read_gguf
from models.interchange.ternary_blocks import BLOCK, PACKERS, ternary_blocks
from models.store import BitplaneFile

TARGETS = {f"gguf-{kind.lower()}": kind for kind in PACKERS}
"""What can be exported: GGUF types by the words of the command line."""
ALONE = "planesmith"
"""Architecture of a file that has nothing but layers."""
OWN = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
"""Beginnings of the fields that are not copied."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A tensor to be written, whose data are read when it is."""

    shape: tuple[int, ...]
    dtype: str
    kind: GGMLQuantizationType
    read: Callable[[], NDArray]


def export_layers(file: BitplaneFile, target: str, path: Path, base: Path | None = None) -> None:
    """Write layers as GGUF tensors, one by one.

    Parameters
    ----------
    target : str
        One of ``TARGETS``.
    base : Path or None
        A GGUF model whose fields and other tensors are copied; the layers take the places of its
        own, with their names and order of rows. Without, tensors are called as the layers, with
        ``.weight`` and ``.bias`` behind.

    Raises
    ------
    ValueError
        A layer would lose something, or is none of the model's; the text names it.
    OSError
        The file cannot be written.
    """
    words = ", ".join(TARGETS)
    require(target in TARGETS, "what is exported", f"be one of {words}", repr(target))
    reader = None if base is None else read_gguf(base)
    names = None if base is None or reader is None else read_names(base, reader)
    entries = {} if reader is None else {old.name: _copy(old) for old in reader.tensors}
    for name in file.names:
        _replace(entries, file, name, TARGETS[target], names)
    with whole_file(path) as part, closing(_writer(part, TARGETS[target], reader)) as writer:
        for name, entry in entries.items():
            dtype = np.dtype(entry.dtype)
            size = int(np.prod(entry.shape)) * dtype.itemsize
            writer.add_tensor_info(name, entry.shape, dtype, size, entry.kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for entry in entries.values():
            writer.write_tensor_data(entry.read())


def _copy(tensor: gguf.ReaderTensor) -> Entry:
    """Take a tensor as it is."""
    data = tensor.data
    return Entry(data.shape, data.dtype.str, tensor.tensor_type, lambda: data)


def _replace(
    entries: dict[str, Entry], file: BitplaneFile, name: str, kind: str, names: Names | None
) -> None:
    """Put a layer among the entries, in place of the model's own if there are names."""
    layer, order, tensor = file.layer(name), None, name
    if names is not None:
        if name not in names.tensors:
            hint = nearest(name, names.tensors)
            raise ValueError(f"layer {name} must be one of the base model's; {hint}")
        tensor = names.tensors[name]
        _check(entries, tensor, layer)
        entries.pop(f"{tensor}.scale", None)
        order = names.rows(tensor, (layer.out, layer.inputs))
    ggml = GGMLQuantizationType[kind]
    shape = (layer.out, layer.inputs // BLOCK * gguf.GGML_QUANT_SIZES[ggml][1])
    read = partial(_weights, file, name, kind, order)
    entries[f"{tensor}.weight"] = Entry(shape, "|u1", ggml, read)
    if layer.bias is not None:
        bias = _placed(layer.bias, order)
        entries[f"{tensor}.bias"] = Entry(bias.shape, "<f4", GGMLQuantizationType.F32, lambda: bias)


def _check(entries: dict[str, Entry], tensor: str, layer: BitplaneLayer) -> None:
    """Raise ``ValueError`` unless a layer can take the place of the model's tensors."""
    subject, weight = f"layer {layer.name}", f"{tensor}.weight"
    require(weight in entries, subject, f"have a tensor {weight} in the base model", "none")
    old = entries[weight]
    block, size = gguf.GGML_QUANT_SIZES[old.kind]
    bytes_of_row = old.shape[-1] * np.dtype(old.dtype).itemsize
    shape, have = (*old.shape[:-1], bytes_of_row // size * block), (layer.out, layer.inputs)
    require(have == shape, subject, f"have the base model's shape {shape}", have)
    bias = f"{tensor}.bias" in entries
    rule = f"have {'a' if bias else 'no'} bias, as in the base model"
    have_bias = layer.bias is not None
    require(bias == have_bias, subject, rule, "one" if have_bias else "none")


def _weights(
    file: BitplaneFile, name: str, kind: str, order: NDArray[np.int32] | None
) -> NDArray[np.uint8]:
    """Read a layer and pack it."""
    return _placed(ternary_blocks(file.layer(name), kind), order)


def _placed(rows: NDArray, order: NDArray[np.int32] | None) -> NDArray:
    """Put rows where the tensor has them: row ``n`` of the layer becomes row ``order[n]``."""
    if order is None:
        return rows
    placed = np.empty_like(rows)
    placed[order] = rows
    return placed


def _writer(path: Path, kind: str, base: GGUFReader | None) -> GGUFWriter:
    """Make a writer that has the fields of the base already."""
    architecture = None if base is None else base.get_field("general.architecture")
    writer = GGUFWriter(path, ALONE if architecture is None else architecture.contents())
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if base is not None:
        writer.data_alignment = int(base.alignment)
        for name, field in base.fields.items():
            value = field.contents()
            if value != [] and not name.startswith(OWN):  # the writer refuses empty arrays
                writer.add_key_value(name, value, field.types[0], field.types[-1])
    return writer
