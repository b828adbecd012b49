"""Tiny BitNet and GPTQ checkpoints, packed as published, and their imported layers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tiny
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.interchange.read import Summary, import_layers
from models.store import open_layers

Q = "model.layers.0.self_attn.q_proj"
DOWN = "model.layers.1.mlp.down_proj"


def checkpoint(folder: Path, settings: dict[str, Any], parts: dict[str, torch.Tensor]) -> Path:
    """Make the tiny LLaMA a quantized checkpoint: layers with ``parts`` lose their weights."""
    tiny.save(folder)
    tensors = load_file(folder / "model.safetensors")
    packed = {name.rpartition(".")[0] for name in parts}
    kept = {name: value for name, value in tensors.items() if name.rpartition(".")[0] not in packed}
    save_file(kept | parts, folder / "model.safetensors")
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"quantization_config": settings}
    path.write_text(json.dumps(config))
    return folder


def imported(folder: Path, **options: Any) -> tuple[dict[str, BitplaneLayer], Summary]:
    file = folder / "layers.bits"
    summary = import_layers(str(folder), Activation(), file, **options)
    with open_layers(file) as layers:
        return {name: layers.layer(name) for name in layers.names}, summary


def pack_rows(weights: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Pack ternary weights as Transformers does: four rows, a quarter of them apart, in a byte."""
    packed = np.zeros((len(weights) // 4, weights.shape[1]), np.uint8)
    for (n, j), weight in np.ndenumerate(weights):
        packed[n % len(packed), j] |= (weight + 1) << n // len(packed) * 2
    return packed


def bitnet_parts(rng: np.random.Generator, **scales: float) -> dict[str, torch.Tensor]:
    """Make the tensors of two layers, (32, 32) and (32, 64), and their weights."""
    parts = {}
    for name, shape in {Q: (32, 32), DOWN: (32, 64)}.items():
        weights = rng.integers(-1, 2, shape)
        scale = scales.get(name.rpartition(".")[2], 0.5)
        parts[f"{name}.weight"] = torch.from_numpy(pack_rows(weights))
        parts[f"{name}.weight_scale"] = torch.tensor([scale], dtype=torch.bfloat16)
        parts[f"{name}.ternary"] = torch.from_numpy(weights)
    return parts


def pack(columns: NDArray[np.integer], bits: int) -> NDArray[np.int32]:
    """Pack down the columns as GPTQ does; (n, columns) to (n * bits / 32, columns).

    Of 3 bits, 32 integers fill three words: 10 whole, one cut after 2 bits, 10 whole, one cut
    after 1 bit, 10 whole.
    """
    words = np.zeros((len(columns) * bits // 32, columns.shape[1]), np.int64)
    for (j, n), code in np.ndenumerate(columns.astype(np.int64)):
        if bits != 3:
            words[j * bits // 32, n] |= code << (j * bits % 32)
            continue
        first, place = j // 32 * 3, j % 32
        if place in (10, 21):
            word, low = (0, 2) if place == 10 else (1, 1)
            words[first + word, n] |= (code & ((1 << low) - 1)) << (32 - low)
            words[first + word + 1, n] |= code >> low
        else:
            word = (place > 10) + (place > 21)
            words[first + word, n] |= code << (3 * (place - 11 * word) + word)
    return words.astype(np.uint32).astype(np.int32)


def gptq(
    rng: np.random.Generator,
    name: str,
    bits: int,
    group: int,
    zero: int | None,
    stored_less: int,
    act_order: bool = False,
    equal: bool = False,
) -> tuple[dict[str, torch.Tensor], NDArray[np.float64]]:
    """Make the tensors of a random layer, and its weights; zero points are random without one."""
    shape = (32, 64) if name == DOWN else (32, 32)
    out, columns = shape
    group = columns if group == -1 else group
    groups = -(-columns // group)
    codes = rng.integers(0, 1 << bits, shape)
    scale = rng.uniform(0.5, 1, (groups, out)).astype(np.float16)
    scale = np.full_like(scale, 0.375) if equal else scale
    zeros = (
        rng.integers(1, 1 << bits, (groups, out)) if zero is None else np.full((groups, out), zero)
    )
    index = np.arange(columns) // group
    index = rng.permutation(index) if act_order else index
    tensors = {
        "qweight": pack(codes.T, bits),
        "qzeros": pack((zeros - stored_less).T, bits).T.copy(),
        "scales": scale,
        "g_idx": index.astype(np.int32),
    }
    real = (codes - zeros[index].T) * scale.astype(np.float64)[index].T
    return {f"{name}.{part}": torch.from_numpy(value) for part, value in tensors.items()}, real
