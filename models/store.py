"""Bitplane layers in a file: safetensors with one JSON header, as ``docs/bitplane.md`` says."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.bitplane import BitplaneLayer
from models.checks import require
from models.cli import nearest
from models.files import whole_file

HEADER = "planesmith"
VERSION = 1


def save(path: Path, layers: Iterable[BitplaneLayer], info: dict[str, str]) -> None:
    """Write layers to a file that appears whole or not at all; the same bytes for the same layers.

    Parameters
    ----------
    info : dict of str
        Free text kept in the header: the source model, the format, the command.

    Raises
    ------
    ValueError
        Two layers have one name.
    OSError
        The folder is missing or cannot be written, or the disk is full.
    """
    tensors: dict[str, NDArray] = {}
    described: dict[str, Any] = {}
    for layer in layers:
        require(layer.name not in described, "layer names", "differ", f"{layer.name} twice")
        described[layer.name] = _describe(layer, layer.name, tensors)
    header = {"version": VERSION, "info": info, "order": list(described), "layers": described}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    with whole_file(path) as part:
        try:
            save_file(tensors, part, metadata={HEADER: text})
        except SafetensorError as error:
            raise OSError(f"{path} must be writable, got: {error}") from error


def _describe(value: Any, name: str, tensors: dict[str, NDArray]) -> Any:
    """Return the JSON of a part, and put its arrays into ``tensors`` under their dotted names."""
    if isinstance(value, np.ndarray):
        require(name not in tensors, "tensor names", "differ", f"{name} twice")
        tensors[name] = np.ascontiguousarray(value)
        return {"tensor": name}
    if isinstance(value, tuple):
        return [_describe(item, f"{name}.{n}", tensors) for n, item in enumerate(value)]
    if is_dataclass(value):
        return {
            field.name: _describe(getattr(value, field.name), f"{name}.{field.name}", tensors)
            for field in fields(value)
        }
    return value.item() if isinstance(value, np.generic) else value


def _restore(kind: Any, value: Any, name: str, tensors: Any) -> Any:
    """Make the part of this kind that :func:`_describe` turned into JSON.

    Foreign JSON raises ``ValueError`` or ``OverflowError``; a missing tensor ``SafetensorError``;
    one of a type that NumPy lacks ``TypeError`` or ``AttributeError``.
    """
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = get_args(kind)[0]
    if get_origin(kind) is np.ndarray:
        fits = isinstance(value, dict) and list(value) == ["tensor"]
        require(fits, name, "name a tensor", json.dumps(value))
        return tensors.get_tensor(value["tensor"])
    if get_origin(kind) is tuple:
        require(isinstance(value, list), name, "be a list", json.dumps(value))
        item_kind = get_args(kind)[0]
        return tuple(
            _restore(item_kind, item, f"{name}.{n}", tensors) for n, item in enumerate(value)
        )
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind)
        require(isinstance(value, dict), name, "be an object", json.dumps(value))
        odd = [f"no {key}" for key in kinds if key not in value]
        odd += [f"a foreign {key}" for key in value if key not in kinds]
        require(not odd, name, f"have the fields of a {kind.__name__}", ", ".join(odd))
        parts = {
            key: _restore(kinds[key], part, f"{name}.{key}", tensors) for key, part in value.items()
        }
        return kind(**parts)
    kind = str if get_origin(kind) is Literal else kind
    fits = type(value) is kind or (kind is float and type(value) is int)
    require(fits, name, f"be {kind.__name__}", json.dumps(value))
    return kind(value)


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

    path: Path
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
        """Read the layer that :meth:`find` finds, and check it like a new one.

        Raises
        ------
        ValueError
            There is none, or the file was damaged.
        """
        name = self.find(name)
        try:
            layer = _restore(BitplaneLayer, self._described[name], name, self._tensors)
            require(layer.name == name, "its name", f"be {name}", layer.name)
        except (ValueError, SafetensorError, TypeError, OverflowError, AttributeError) as error:
            text = " ".join(str(error).split())
            raise ValueError(f"{self.path} must hold a whole layer {name}, got: {text}") from error
        return layer


@contextmanager
def open_layers(path: Path) -> Iterator[BitplaneFile]:
    """Open a file of layers.

    Raises
    ------
    ValueError
        The file is truncated, foreign, or of a version that this program does not read.
    OSError
        There is no such file.
    """
    if not path.is_file():
        got = "a folder" if path.is_dir() else "none"
        raise FileNotFoundError(f"{path} must be a bitplane file, got {got}")
    try:
        opened = safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise ValueError(f"{path} must be a bitplane file, got: {error}") from error
    with opened as tensors:
        header = _header(path, tensors.metadata() or {})
        described = header["layers"]
        yield BitplaneFile(path, header["info"], tuple(header["order"]), described, tensors)


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Read and check the header, its layers apart."""
    if HEADER not in metadata:
        raise ValueError(f"{path} must be a bitplane file, got safetensors of something else")
    try:
        header = json.loads(metadata[HEADER])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must have a header in JSON, got: {error}") from error
    version = header.get("version") if isinstance(header, dict) else None
    require(version == VERSION, str(path), f"be of bitplane version {VERSION}", version)
    kinds = {"version": int, "info": dict, "order": list, "layers": dict}
    whole = {key: type(value) for key, value in header.items()} == kinds
    if not whole or sorted(header["order"], key=str) != sorted(header["layers"]):
        rule = "have a header with version, info, order and the layers of that order"
        raise ValueError(f"{path} must {rule}, got {', '.join(header)}")
    return header
