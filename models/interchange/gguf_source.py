"""Import GGUF: binary, ternary and integer blocks of any architecture."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from models.checks import require
from models.foreign import one_line
from models.interchange import blocks, superblocks
from models.interchange.gguf_names import Names, read_names
from models.interchange.grid import Grid
from models.interchange.source import Source

DECODERS: dict[str, Callable[[blocks.Blocks], Grid]] = {
    "Q1_0": blocks.q1_0,
    "TQ1_0": blocks.tq1_0,
    "TQ2_0": blocks.tq2_0,
    "Q4_0": blocks.q4_0,
    "Q4_1": blocks.q4_1,
    "Q5_0": blocks.q5_0,
    "Q5_1": blocks.q5_1,
    "Q8_0": blocks.q8_0,
    "Q2_K": superblocks.q2_k,
    "Q3_K": superblocks.q3_k,
    "Q4_K": superblocks.q4_k,
    "Q5_K": superblocks.q5_k,
    "Q6_K": superblocks.q6_k,
}
"""By GGUF type."""


def open_gguf(path: Path) -> Source:
    """Open a GGUF file, whose tensors are read one at a time.

    Raises
    ------
    ValueError
        The file is damaged, big-endian or one of several parts.
    OSError
        There is no such file.
    """
    reader = read_gguf(path)
    names = read_names(path, reader)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    grids: dict[str, Callable[[], Grid]] = {}
    left_out: dict[str, str] = {}
    types = []
    for layer, name in names.tensors.items():
        tensor = tensors.get(f"{name}.weight")
        if tensor is None:
            left_out[layer] = "no tensor"
        elif tensor.tensor_type.name not in DECODERS or len(tensor.shape) != 2:
            left_out[layer] = tensor.tensor_type.name
        else:
            grids[layer] = partial(_read, tensors, names, name)
            types.append(tensor.tensor_type.name)
    return Source(f"GGUF {' '.join(sorted(set(types)))}", grids, left_out)


def read_gguf(path: Path) -> gguf.GGUFReader:
    """Read all of a GGUF file but the tensors, which are mapped into memory."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a GGUF file, got none")
    with one_line(f"{path} must be a whole GGUF file", ValueError):
        reader = gguf.GGUFReader(path)
    require(reader.byte_order == "I", str(path), "be little-endian", "big-endian")
    split = reader.get_field("split.count")
    parts = 1 if split is None else split.contents()
    require(parts <= 1, str(path), "be one whole file", f"one of {parts} parts")
    return reader


def _read(tensors: dict[str, gguf.ReaderTensor], names: Names, name: str) -> Grid:
    """Read a layer; its rows in the order of the model, with its bias and tensor scale."""
    tensor = tensors[f"{name}.weight"]
    _, size = gguf.GGML_QUANT_SIZES[tensor.tensor_type]
    rows = tensor.data.shape[0]
    grid = DECODERS[tensor.tensor_type.name](tensor.data.reshape(rows, -1, size))
    if f"{name}.scale" in tensors:  # llama.cpp multiplies the product by it
        scale = float(_floats(tensors[f"{name}.scale"]).item())
        grid = replace(grid, scale=grid.scale * scale)
    if f"{name}.bias" in tensors:
        grid = replace(grid, bias=_floats(tensors[f"{name}.bias"]))
    order = names.rows(name, grid.codes.shape)
    return grid if order is None else grid.in_order(order)


def _floats(tensor: gguf.ReaderTensor) -> NDArray[np.float32]:
    """Return the numbers of a tensor of any type."""
    return np.array(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32)
