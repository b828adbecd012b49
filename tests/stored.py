"""Layers of every kind in files, for tests of these."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import KINDS

from models.bitplane import BitplaneLayer
from models.store import open_layers, save


def every_kind(seed: int) -> list[BitplaneLayer]:
    rng = np.random.default_rng(seed)
    layers = [make(rng, 5, 19) for make in KINDS.values()]
    return [replace(layer, name=f"part.{name}") for name, layer in zip(KINDS, layers, strict=True)]


def load(path: Path, name: str) -> BitplaneLayer:
    with open_layers(path) as file:
        return file.layer(name)


def refuses(path: Path, text: str, error: type[Exception] = ValueError, name: str = "a.b") -> None:
    with pytest.raises(error, match=f"^{text}$") as caught:
        load(path, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path} must ")


def save_one(folder: Path) -> Path:
    """Save one layer, named ``a.b``."""
    path = folder / "one.safetensors"
    save(path, [replace(KINDS["dbf"](np.random.default_rng(0), 3, 5), name="a.b")], {"x": "y"})
    return path
