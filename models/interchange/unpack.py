"""Models with packed layers as plain ones in float32, which any program of Transformers reads."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from models.fetch import cache_folder
from models.files import whole_set
from models.foreign import one_line
from models.interchange.packed import OPENERS, method, open_packed
from models.interchange.source import Source
from models.interchange.weights import INDEX, Weights

VERSION = 1
"""Part of the name of kept copies; to be raised whenever they would differ."""
SHARD = 1 << 30
"""Bytes from which a file of tensors is closed."""
KEPT = ("*.json", "*.model", "*.txt", "*.jinja")
"""Files that go into the copy, but for the model's configuration and index."""


def unpacked(folder: Path) -> Path:
    """Return a folder with the same model, whose linear layers are real matrices.

    A folder without packed layers is returned as it is. The copy is made once and kept in the
    cache, under the hash of the files; layers are unpacked one by one.

    Raises
    ------
    ValueError
        A layer is damaged.
    OSError
        The cache cannot be written.
    """
    if method(folder) not in OPENERS:
        return folder
    with open_packed(folder) as (weights, source):
        copy = cache_folder() / f"{_digest(weights)}-unpacked-{VERSION}"
        if copy.is_dir():
            return copy
        print(f"unpacking {folder.name} to float32, once", file=sys.stderr, flush=True)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with whole_set(copy) as part:
            _write(part, weights, source)
    return copy


def _write(part: Path, weights: Weights, source: Source) -> None:
    """Write the copy's files."""
    for pattern in KEPT:
        for file in weights.folder.glob(pattern):
            shutil.copyfile(file, part / file.name)
    for name in (INDEX, "quantize_config.json"):
        (part / name).unlink(missing_ok=True)
    config = json.loads((part / "config.json").read_text("utf-8"))
    config.pop("quantization_config", None)
    (part / "config.json").write_text(json.dumps(config, indent=2))
    shard: dict[str, Tensor] = {}
    index: dict[str, str] = {}

    def close() -> None:
        file = f"model-{len(set(index.values())):05d}.safetensors"
        with one_line(f"{part.parent} must have room for {file}", OSError):
            save_file(shard, part / file, {"format": "pt"})
        index.update(dict.fromkeys(shard, file))
        shard.clear()

    for name, tensor in _tensors(weights, source):
        shard[name] = tensor.contiguous()
        if sum(held.nbytes for held in shard.values()) >= SHARD:
            close()
    if shard:
        close()
    (part / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}))


def _tensors(weights: Weights, source: Source) -> Iterator[tuple[str, Tensor]]:
    """Give the tensors of the plain model: those of packed layers in float32, others as is."""
    for name in weights.names:
        if name.rpartition(".")[0] not in source.grids:
            yield name, weights.tensor(name)
    for name, read in tqdm(source.grids.items(), desc="unpacking", unit="layer", leave=False):
        with one_line(f"{weights.folder} must hold a whole layer {name}", ValueError):
            grid = read()
        yield f"{name}.weight", torch.from_numpy(grid.real())
        if grid.bias is not None:
            yield f"{name}.bias", torch.from_numpy(grid.bias)


def _digest(weights: Weights) -> str:
    """Return the beginning of the hash of a folder's settings and tensors."""
    total = hashlib.sha256()
    for path in [*sorted(weights.folder.glob("*.json")), *weights.paths]:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:32]
