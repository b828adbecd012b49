"""What is measured: shapes of linear layers, and how their weights are stored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize
from models.equivalence import Equivalence
from models.planes import pack
from models.stage import Stage


@dataclass(frozen=True)
class Shape:
    """A LLaMA-like model: sizes of its hidden states, and counts."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    words: int

    @property
    def head(self) -> int:
        """Size of a head."""
        return self.hidden // self.heads

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """(out, in) of each linear layer of a block."""
        small = self.kv_heads * self.head
        return {
            "q": (self.hidden, self.hidden), "k": (small, self.hidden), "v": (small, self.hidden),
            "o": (self.hidden, self.hidden), "gate": (self.inner, self.hidden),
            "up": (self.inner, self.hidden), "down": (self.hidden, self.inner),
        }  # fmt: skip

    @property
    def merged(self) -> dict[str, tuple[int, int]]:
        """(out, in) of a block's layers where those that read the same inputs are one."""
        return {
            "qkv": (self.hidden + 2 * self.kv_heads * self.head, self.hidden),
            "o": (self.hidden, self.hidden), "gate_up": (2 * self.inner, self.hidden),
            "down": (self.hidden, self.inner),
        }  # fmt: skip


MODELS = {
    "SmolLM2-135M": Shape(576, 1536, 30, 9, 3, 49152),
    "LLaMA-2-7B": Shape(4096, 11008, 32, 32, 32, 32000),
    "LLaMA-2-13B": Shape(5120, 13824, 40, 40, 40, 32000),
    "LLaMA-3-8B": Shape(4096, 14336, 32, 32, 8, 128256),
}
"""As their published configurations say."""

BITS_TABLE = (
    (128, 32, 128, 1.0), (256, 32, 256, 2.3), (1024, 32, 1024, 1.5), (2048, 32, 2048, 2.6),
    (13824, 128, 5120, 3.4), (5120, 128, 13824, 2.7), (22016, 128, 8192, 4.6),
    (8192, 128, 22016, 4.9),
)  # fmt: skip
"""Rows, tokens, columns of binary products, and how many times faster than cuBLAS in FP16 a
published table (Beihang University's BGEMM, GPU not named) has them."""


@dataclass(frozen=True)
class Storage:
    """How weights are stored: planes, columns that share coefficients (0: the row), offsets.

    Ternary weights have two planes, no bit in both, or with ``base3`` five weights to a byte.
    Inputs may be rotated in blocks first. ``chain``: bits of a weight that two matrices of signs
    make, one after the other, with 8-bit codes between them; 0: one stage.
    """

    planes: int
    group: int
    offset: bool
    ternary: bool = False
    base3: bool = False
    rotation: int = 0
    chain: float = 0.0


MIDDLE_SHIFT = 20
"""Bits that sums of some thousand codes times a 15-bit scale lose to be codes themselves."""

STORAGES = {
    "k1": Storage(1, 128, True),
    "k2": Storage(2, 128, True),
    "k2 groups of 64": Storage(2, 64, True),
    "k2 rotated": Storage(2, 128, True, rotation=64),
    "k3": Storage(3, 128, True),
    "k4": Storage(4, 128, True),
    "ternary": Storage(2, 0, False, ternary=True),
    "base3": Storage(2, 0, False, ternary=True, base3=True),
    "dbf": Storage(1, 0, True, chain=1.0),
}


def shapes(models: tuple[str, ...] = tuple(MODELS)) -> dict[tuple[int, int], list[str]]:
    """Return the different shapes (out, in) of models' layers, and whose they are."""
    found: dict[tuple[int, int], list[str]] = {}
    for model in models:
        for name, shape in MODELS[model].linear.items():
            found.setdefault(shape, []).append(f"{model} {name}")
    return found


def random_layer(
    rng: np.random.Generator, out: int, columns: int, storage: Storage
) -> BitplaneLayer:
    """Make a layer with random weights."""
    if storage.chain:
        return _random_chain(rng, out, columns, storage.chain)
    group = storage.group or columns
    groups = -(-columns // group)
    planes = _random_planes(rng, storage.planes, out, columns)
    if storage.ternary:
        planes[1] &= 1 - planes[0]
        coefficients = np.tile(np.array([1, -1], np.int16), (1, out, groups, 1))
    else:
        shape = (1, out, groups, storage.planes)
        coefficients = rng.integers(-(1 << 11), 1 << 11, shape).astype(np.int16)
    offset = rng.integers(-(1 << 11), 1 << 11, (1, out, groups)).astype(np.int16)
    stage = Stage(
        planes=pack(planes),
        columns=columns,
        group=group,
        coefficients=coefficients,
        monomials=tuple(1 << plane for plane in range(storage.planes)),
        offset=offset if storage.offset else None,
        activation=Activation(),
        base3=storage.base3,
    )
    scale = rng.uniform(1e-4, 2e-4, out).astype(np.float32)
    change = Equivalence(rotation=storage.rotation) if storage.rotation else None
    return BitplaneLayer("random", columns, (Path((stage,), scale),), equivalence=change)


def _random_chain(rng: np.random.Generator, out: int, columns: int, bits: float) -> BitplaneLayer:
    middle = round(bits * out * columns / (out + columns))
    row_scale = rng.integers(1 << 13, 1 << 15, (1, middle)).astype(np.int16)
    stages = (
        _signs(rng, middle, columns, Activation(), Requantize(row_scale, MIDDLE_SHIFT, 8)),
        _signs(rng, out, middle, None, None),
    )
    scale = rng.uniform(1e-4, 2e-4, out).astype(np.float32)
    return BitplaneLayer("random", columns, (Path(stages, scale),))


def _signs(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    activation: Activation | None,
    requantize: Requantize | None,
) -> Stage:
    return Stage(
        planes=pack(_random_planes(rng, 1, rows, columns)),
        columns=columns,
        group=columns,
        coefficients=np.full((1, 1, 1, 1), 2, np.int16),
        monomials=(1,),
        offset=np.full((1, 1, 1), -1, np.int16),
        activation=activation,
        requantize=requantize,
    )


def _random_planes(
    rng: np.random.Generator, planes: int, rows: int, columns: int
) -> NDArray[np.uint8]:
    packed = rng.integers(0, 256, (planes, rows, -(-columns // 8)), np.uint8)
    return np.unpackbits(packed, axis=-1, count=columns, bitorder="little")
