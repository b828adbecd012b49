"""Bitplane layers in a file: safetensors with one JSON header, as ``docs/bitplane.md`` says."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.bitplane import BitplaneLayer, Path
from models.cli import nearest
from models.codes import Activation, Requantize, Transform
from models.files import whole_file
from models.stage import Stage

HEADER = "planesmith"
VERSION = 1
PARTS = {
    "paths": Path,
    "stages": Stage,
    "activation": Activation,
    "transform": Transform,
    "requantize": Requantize,
}
"""Fields that hold parts of a layer, and the class of each."""


def save(path: FilePath, layers: Iterable[BitplaneLayer], info: dict[str, str]) -> None:
    """Write layers to a file that appears whole or not at all.

    Parameters
    ----------
    info : dict of str
        Free text kept in the header: the source model, the format, the command.

    Raises
    ------
    ValueError
        Two layers have one name.
    OSError
        The folder is missing or cannot be written.
    """
    tensors: dict[str, NDArray] = {}
    described: dict[str, Any] = {}
    for layer in layers:
        if layer.name in described:
            raise ValueError(f"layer names must differ, got {layer.name} twice")
        described[layer.name] = _describe(layer, layer.name, tensors)
    header = {"version": VERSION, "info": info, "order": list(described), "layers": described}
    with whole_file(path) as part:
        save_file(tensors, part, metadata={HEADER: json.dumps(header, sort_keys=True)})


def _describe(value: Any, name: str, tensors: dict[str, NDArray]) -> Any:
    """Return the JSON of a part, and put its arrays into ``tensors`` under their dotted names."""
    if isinstance(value, np.ndarray):
        tensors[name] = np.ascontiguousarray(value)
        return {"tensor": name}
    if isinstance(value, tuple):
        return [_describe(item, f"{name}.{n}", tensors) for n, item in enumerate(value)]
    if is_dataclass(value):
        return {
            field.name: _describe(getattr(value, field.name), f"{name}.{field.name}", tensors)
            for field in fields(value)
        }
    return value


@dataclass(frozen=True)
class BitplaneFile:
    """An open file of layers; each is read when asked for.

    Attributes
    ----------
    path : Path
    info : dict of str
        What :func:`save` was given.
    names : tuple of str
        Layers, in the order of the model.
    """

    path: FilePath
    info: dict[str, str]
    names: tuple[str, ...]
    _described: dict[str, Any]
    _tensors: Any

    def find(self, name: str) -> str:
        """Return the layer of that name, or the only one that ends in it.

        Raises
        ------
        ValueError
            There is none, or more than one.
        """
        ends = [have for have in self.names if have == name or have.endswith(f".{name}")]
        if name in ends or len(ends) == 1:
            return name if name in ends else ends[0]
        rule = f"layer must be one of {self.path}'s {len(self.names)}, got '{name}'"
        if ends:
            raise ValueError(f"{rule}; it could be {' or '.join(ends[:3])}")
        raise ValueError(f"{rule}; {nearest(name, self.names)}")

    def layer(self, name: str) -> BitplaneLayer:
        """Read one layer, all its checks included."""
        try:
            return BitplaneLayer(**self._parts(self._described[name]))
        except (SafetensorError, TypeError, KeyError) as error:
            raise ValueError(f"{self.path} must hold whole layers, got {error!r}") from error

    def _parts(self, described: dict[str, Any]) -> dict[str, Any]:
        return {key: self._part(key, value) for key, value in described.items()}

    def _part(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            if "tensor" in value:
                return self._tensors.get_tensor(value["tensor"])
            return PARTS[key](**self._parts(value))
        if isinstance(value, list):
            return tuple(self._part(key, item) for item in value)
        return value


@contextmanager
def open_layers(path: FilePath) -> Iterator[BitplaneFile]:
    """Open a file of layers.

    Raises
    ------
    ValueError
        The file is truncated, foreign, or of a version that this program does not read.
    OSError
        There is no such file.
    """
    try:
        with safe_open(path, framework="numpy") as tensors:
            header = _header(path, tensors.metadata())
            described = header["layers"]
            yield BitplaneFile(path, header["info"], tuple(header["order"]), described, tensors)
    except SafetensorError as error:
        raise ValueError(f"{path} must be a bitplane file, got {error}") from error


def _header(path: FilePath, metadata: dict[str, str] | None) -> dict[str, Any]:
    if not metadata or HEADER not in metadata:
        raise ValueError(f"{path} must be a bitplane file, got safetensors of something else")
    header = json.loads(metadata[HEADER])
    if header["version"] != VERSION:
        raise ValueError(
            f"{path} must be of bitplane version {VERSION}, got version {header['version']}"
        )
    return header
