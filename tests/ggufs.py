"""Small GGUF models of any architecture and type, and their imported layers."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tiny
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.interchange.read import Summary, import_layers
from models.store import open_layers

HIDDEN, INNER = 256, 512
SHAPES = {
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN // 2, HIDDEN),
    "attn_v": (HIDDEN // 2, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (INNER, HIDDEN),
    "ffn_up": (INNER, HIDDEN),
    "ffn_down": (HIDDEN, INNER),
}
DOWN = "model.layers.0.mlp.down_proj"


def write_model(
    path: Path,
    kind: str,
    architecture: str = "llama",
    kinds: dict[str, str] | None = None,
    floats: dict[str, NDArray] | None = None,
    fields: dict[str, int] | None = None,
) -> None:
    """Write a one-layer model whose layers are of a type, some of them of other ``kinds``."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(tiny.POSITIONS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tiny.WORDS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tiny.WORDS)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tiny.WORDS))
    writer.add_token_merges(["o n"])
    writer.add_eos_token_id(1)
    for name, value in (fields or {}).items():
        writer.add_uint16(name, value)
    norms = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    values = {f"{name}.weight": rng.standard_normal(HIDDEN) for name in norms}
    values["token_embd.weight"] = rng.standard_normal((len(tiny.WORDS), HIDDEN))
    for name, value in (values | (floats or {})).items():
        writer.add_tensor(name, value.astype(np.float32))
    for name, shape in SHAPES.items():
        of = Type[(kinds or {}).get(name, kind)]
        weights = rng.standard_normal(shape).astype(np.float32)
        if of in (Type.TQ1_0, Type.TQ2_0):
            weights = np.sign(weights) * (np.abs(weights) > 0.5)
        writer.add_tensor(f"blk.0.{name}.weight", gguf.quantize(weights, of), raw_dtype=of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def biases() -> dict[str, NDArray]:
    """Make the biases of a Qwen2 model."""
    rng = np.random.default_rng(1)
    names = [f"attn_{part}" for part in "qkv"]
    return {f"blk.0.{name}.bias": rng.standard_normal(SHAPES[name][0]) for name in names}


def imported(source: Path, **options: Any) -> tuple[dict[str, BitplaneLayer], Summary]:
    file = source.with_suffix(".bits")
    summary = import_layers(str(source), Activation(), file, **options)
    with open_layers(file) as layers:
        return {name: layers.layer(name) for name in layers.names}, summary
