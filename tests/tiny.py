"""Tiny language models with random weights, made in a moment."""

from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

WORDS = ["<unk>", "</s>", "o", "n", "on", "two"]
HIDDEN, INNER, POSITIONS = 32, 64, 16
COMMON = {
    "vocab_size": len(WORDS),
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
FAMILIES = {
    "llama": COMMON | {"intermediate_size": INNER, "num_key_value_heads": 2},
    "qwen2": COMMON | {"intermediate_size": INNER, "num_key_value_heads": 2},
    "gpt_neox": COMMON | {"intermediate_size": INNER},
    "opt": COMMON | {"ffn_dim": INNER, "word_embed_proj_dim": HIDDEN},
    "gpt2": COMMON,
    "falcon": COMMON | {"alibi": False},
    "mixtral": COMMON
    | {"intermediate_size": INNER, "num_key_value_heads": 2, "num_local_experts": 4},
    "mamba": COMMON | {"expand": 2},
    "openai-gpt": COMMON,
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for each of ``WORDS``, split at spaces."""
    words = models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>")
    split = Tokenizer(words)
    split.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=split, unk_token="<unk>", eos_token="</s>")


def model(family: str) -> PreTrainedModel:
    """Make a model of one of ``FAMILIES``, always the same."""
    config = AutoConfig.for_model(family, **FAMILIES[family])
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return AutoModelForCausalLM.from_config(config).eval()


def save(folder: Path, family: str = "llama") -> Path:
    """Save model and tokenizer in Transformers format."""
    model(family).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_gguf(path: Path, seed: int = 1, without: str = "") -> dict[str, np.ndarray]:
    """Write a one-layer LLaMA in Q8_0; return its dequantised weights, (out, in), by GGUF name."""
    rng = np.random.default_rng(seed)
    shapes = {
        "token_embd.weight": (len(WORDS), HIDDEN),
        "output_norm.weight": (HIDDEN,),
        "blk.0.attn_norm.weight": (HIDDEN,),
        "blk.0.ffn_norm.weight": (HIDDEN,),
        "blk.0.ffn_gate.weight": (INNER, HIDDEN),
        "blk.0.ffn_up.weight": (INNER, HIDDEN),
        "blk.0.ffn_down.weight": (HIDDEN, INNER),
    }
    shapes |= {f"blk.0.attn_{part}.weight": (HIDDEN, HIDDEN) for part in ["q", "k", "v", "output"]}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(WORDS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(WORDS)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(WORDS))
    writer.add_token_merges(["o n"])
    writer.add_eos_token_id(1)
    weights = {}
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quantize(rng.standard_normal(shape, np.float32), kind)
        weights[name] = gguf.dequantize(data, kind)
        if name != without:
            writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def save_text(path: Path, words: int) -> Path:
    """Write so many random words, each a token."""
    path.write_text(" ".join(np.random.default_rng(0).choice(WORDS[2:], words)), "utf-8")
    return path
