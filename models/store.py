"""Bitplane layers in a file: safetensors with one JSON header, as ``docs/bitplane.md`` says."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from models.bitplane import BitplaneLayer
from models.checks import require
from models.cli import nearest
from models.files import blaming, whole_file
from models.parts import describe, restore
from models.tensors import TensorWriter

HEADER = "planesmith"
FORMATS = "formats"
"""Key of the info where a file has several formats: JSON, names of layers to formats."""
VERSION = 3
"""Of the files written; earlier ones are read as well."""


def save(path: Path, layers: Iterable[BitplaneLayer], info: dict[str, str]) -> None:
    """Write layers to a file that appears whole or not at all; the same bytes for the same layers.

    Layers are written one by one, to a temporary file beside this one.

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
    described: dict[str, Any] = {}
    with whole_file(path) as part, tempfile.TemporaryFile(dir=path.parent) as spill:
        writer = TensorWriter(spill)
        for layer in layers:
            require(layer.name not in described, "layer names", "differ", f"{layer.name} twice")
            tensors: dict[str, NDArray] = {}
            described[layer.name] = describe(layer, layer.name, tensors)
            with blaming(path):
                for name, array in tensors.items():
                    writer.add(name, array)
        header = {"version": VERSION, "info": info, "order": list(described), "layers": described}
        text = json.dumps(header, sort_keys=True, separators=(",", ":"))
        with blaming(path), part.open("wb") as file:
            writer.write(file, {HEADER: text})


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
    _version: int
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

    def format_of(self, name: str) -> str:
        """Return the format of a layer, as it was asked for; nothing where the file tells of none.

        Raises
        ------
        ValueError
            The file has several formats, and does not tell whose they are.
        """
        if FORMATS not in self.info:
            several = "budget" in self.info
            require(not several, str(self.path), "tell each layer's format", "several for all")
            return self.info.get("format", "")
        try:
            return str(json.loads(self.info[FORMATS])[name])
        except (ValueError, TypeError, LookupError) as error:
            raise ValueError(f"{self.path} must tell the format of {name}, got none") from error

    def layer(self, name: str) -> BitplaneLayer:
        """Read the layer that :meth:`find` finds, and check it like a new one.

        Raises
        ------
        ValueError
            There is none, or the file was damaged.
        """
        name = self.find(name)
        try:
            described = self._described[name]
            layer = restore(BitplaneLayer, described, name, self._tensors, self._version)
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
        yield BitplaneFile(
            path, header["info"], tuple(header["order"]),
            header["version"], header["layers"], tensors,
        )  # fmt: skip


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Read and check the header, its layers apart."""
    if HEADER not in metadata:
        raise ValueError(f"{path} must be a bitplane file, got safetensors of something else")
    try:
        header = json.loads(metadata[HEADER])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must have a header in JSON, got: {error}") from error
    version = header.get("version") if isinstance(header, dict) else None
    known = version in range(1, VERSION + 1)
    require(known, str(path), f"be of bitplane version 1 to {VERSION}", version)
    kinds = {"version": int, "info": dict, "order": list, "layers": dict}
    whole = {key: type(value) for key, value in header.items()} == kinds
    if not whole or sorted(header["order"], key=str) != sorted(header["layers"]):
        rule = "have a header with version, info, order and the layers of that order"
        raise ValueError(f"{path} must {rule}, got {', '.join(header)}")
    return header
