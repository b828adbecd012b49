"""The tensors of a folder in Transformers format, safetensors only, each read when asked for."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig

from models.foreign import one_line, quiet
from models.interchange.skeleton import linear_names

INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"


@dataclass(frozen=True, eq=False)
class Weights:
    """Open tensors.

    Attributes
    ----------
    folder : Path
    paths : tuple of Path
        Files that hold the tensors.
    """

    folder: Path
    paths: tuple[Path, ...]
    _files: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """Names of all tensors."""
        return list(self._files)

    def __contains__(self, name: str) -> bool:
        """Whether there is a tensor of that name."""
        return name in self._files

    def tensor(self, name: str) -> Tensor:
        """Read a tensor.

        Raises
        ------
        ValueError
            There is none of that name.
        """
        if name not in self:
            raise ValueError(f"{self.folder} must hold tensor {name}, got none")
        return self._files[name].get_tensor(name)

    def array(self, name: str) -> NDArray[Any]:
        """Read a tensor of integers or, as float64, of any reals."""
        tensor = self.tensor(name)
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()

    def bias(self, layer: str) -> NDArray[np.float32] | None:
        """Read a layer's bias, if there is one."""
        name = f"{layer}.bias"
        return self.tensor(name).float().numpy() if name in self else None

    def layers(self, last: str) -> list[str]:
        """Return the layers that have a tensor ``last``, in the order of the model.

        Where Transformers does not know the architecture, and for layers that it does not have,
        the order is that of the names, numbers in them as numbers.
        """
        ends = f".{last}"
        found = [name.removesuffix(ends) for name in self._files if name.endswith(ends)]
        known = {name: place for place, name in enumerate(self.linear_names)}
        return sorted(found, key=lambda name: (known.get(name, len(known)), _natural(name)))

    def left_out(self, names: list[str]) -> dict[str, str]:
        """Return the linear layers but these, each with what it is."""
        return dict.fromkeys((name for name in self.linear_names if name not in names), "unpacked")

    @cached_property
    def linear_names(self) -> list[str]:
        """Names of the model's linear layers, its head apart; none if the model is unknown."""
        try:
            with quiet(bars=False), one_line("a model must be known", ValueError):
                config = AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
                return linear_names(config)
        except ValueError:
            return []


def quantization(folder: Path) -> dict[str, Any]:
    """Return how a folder's layers are packed; empty if they are not.

    Early GPTQ has a file of its own for that.
    """
    path = folder / "quantize_config.json"
    settings = _json(folder / "config.json").get("quantization_config")
    if settings is None and path.is_file():
        settings = {"quant_method": "gptq"} | _json(path)
    return settings or {}


def _json(path: Path) -> dict[str, Any]:
    with one_line(f"{path} must be a JSON object", ValueError):
        return dict(json.loads(path.read_text("utf-8")))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


@contextmanager
def open_weights(folder: Path) -> Iterator[Weights]:
    """Open the tensors of a folder.

    Raises
    ------
    ValueError
        A file is missing or damaged.
    """
    if (folder / INDEX).is_file():
        index = _json(folder / INDEX)["weight_map"]
        paths = [folder / name for name in sorted(set(index.values()))]
    else:
        whole = folder / WHOLE
        paths = [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))
    files: dict[str, Any] = {}
    with ExitStack() as stack:
        for path in paths:
            with one_line(f"{path} must be a whole safetensors file", ValueError):
                opened = stack.enter_context(safe_open(path, framework="pt"))
                files |= dict.fromkeys(opened.keys(), opened)
        yield Weights(folder, tuple(paths), files)


def check_folder(subject: str, folder: Path) -> None:
    """Raise ``ValueError`` unless the folder's weights are safetensors, all of them."""
    config = folder / "config.json"
    if not config.is_file():
        raise ValueError(f"{subject} must be a folder in Transformers format, got no config.json")
    if (folder / "adapter_config.json").exists():
        raise ValueError(f"{subject} must be a whole model, got an adapter (adapter_config.json)")
    with one_line(f"{subject} must have a valid config.json and index of weights", ValueError):
        named = [json.loads(config.read_text("utf-8")).get("transformers_weights")]
        for index in folder.rglob("*.safetensors.index.json"):
            named += json.loads(index.read_text("utf-8"))["weight_map"].values()
    safe = (".safetensors", ".safetensors.index.json")
    others = [name for name in named if name and not str(name).endswith(safe)]
    if not any(folder.glob("*.safetensors")):
        others += sorted(file.name for file in folder.glob("*.bin")) or ["none"]
    if others:
        raise ValueError(
            f"{subject} must keep its weights in .safetensors, got {others[0]}; "
            "pickles are never loaded"
        )
