"""Workload: what a decoder-only model asks for each token, from its shapes alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.checks import require
from models.cli import nearest

OPERATIONS = {"norm": 4, "activation": 6, "softmax": 6, "rotary": 3, "residual": 1}
"""Real operations for each element: a norm squares, adds, divides and scales; an activation and a
softmax need an exponential, counted as 4; a rotation takes 2 products and a sum.
"""


@dataclass(frozen=True)
class Linear:
    """A linear layer, ``count`` times in the model."""

    name: str
    out: int
    inputs: int
    count: int

    @property
    def weights(self) -> int:
        """Of all of them."""
        return self.out * self.inputs * self.count


@dataclass(frozen=True)
class Shape:
    """A model.

    Attributes
    ----------
    linears : tuple of Linear
        Of the blocks; the head apart.
    hidden, layers, heads, kv_heads, head_dim, vocab : int
    source : str
    """

    name: str
    linears: tuple[Linear, ...]
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    source: str

    @property
    def head(self) -> Linear:
        """The layer that gives the scores of tokens."""
        return Linear("head", self.vocab, self.hidden, 1)

    @property
    def body_weights(self) -> int:
        """Of the blocks' linear layers."""
        return sum(linear.weights for linear in self.linears)

    def attention_macs(self, context: int) -> int:
        """Products of queries with keys and of scores with values, after ``context`` tokens."""
        return 2 * self.layers * self.heads * self.head_dim * context

    def cache_elements(self) -> int:
        """Keys and values of a token."""
        return 2 * self.layers * self.kv_heads * self.head_dim

    def real_operations(self, context: int) -> int:
        """Return operations on real numbers outside of products with matrices and the cache."""
        inner = max(linear.out for linear in self.linears)
        block = (
            2 * self.hidden * OPERATIONS["norm"]
            + inner * OPERATIONS["activation"]
            + self.heads * context * OPERATIONS["softmax"]
            + (self.heads + self.kv_heads) * self.head_dim * OPERATIONS["rotary"]
            + 2 * self.hidden * OPERATIONS["residual"]
        )
        return self.layers * block + self.hidden * OPERATIONS["norm"]


@cache
def known() -> dict[str, Shape]:
    """Return the models that are known by name: ``shapes.json``, from public configurations."""
    table = json.loads(Path(__file__).with_name("shapes.json").read_text())
    return {name: _shape(name, one) for name, one in table.items()}


def shape_of(name: str) -> Shape:
    """Return a model by name, or of a folder or file with a Transformers configuration.

    Raises
    ------
    ValueError
        It is neither.
    """
    path = Path(name) / "config.json" if Path(name).is_dir() else Path(name)
    if path.suffix == ".json":
        try:
            return of_config(path.parent.name, json.loads(path.read_text()))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} must be JSON, got: {error}") from error
    models = {key.lower(): shape for key, shape in known().items()}
    rule = f"be a known one ({nearest(name, known())}) or a folder with config.json"
    require(name.lower() in models, "model", rule, name)
    return models[name.lower()]


def of_config(name: str, config: Mapping[str, Any]) -> Shape:
    """Read a Transformers configuration of a gated model (Llama, Qwen, Gemma, Mistral and alike).

    Raises
    ------
    ValueError
        It lacks a size.
    """
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "vocab_size")  # fmt: skip
    for size in sizes:
        require(isinstance(config.get(size), int), f"configuration of {name}",
                f"have a whole number as {size}", config.get(size, "none"))  # fmt: skip
    hidden, inner, layers, heads, vocab = (config[size] for size in sizes)
    kv_heads = config.get("num_key_value_heads") or heads
    head_dim = config.get("head_dim") or hidden // heads
    linears = [
        ("q_proj", heads * head_dim, hidden), ("k_proj", kv_heads * head_dim, hidden),
        ("v_proj", kv_heads * head_dim, hidden), ("o_proj", hidden, heads * head_dim),
        ("gate_proj", inner, hidden), ("up_proj", inner, hidden), ("down_proj", hidden, inner),
    ]  # fmt: skip
    return _shape(name, {
        "linears": linears, "hidden": hidden, "layers": layers, "heads": heads,
        "kv_heads": kv_heads, "head_dim": head_dim, "vocab": vocab, "source": "its configuration",
    })  # fmt: skip


def _shape(name: str, one: Mapping[str, Any]) -> Shape:
    linears = tuple(Linear(part, out, inp, one["layers"]) for part, out, inp in one["linears"])
    return Shape(
        name, linears, one["hidden"], one["layers"], one["heads"], one["kv_heads"],
        one["head_dim"], one["vocab"], one["source"],
    )  # fmt: skip
