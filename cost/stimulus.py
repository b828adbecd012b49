"""What reaches a unit cycle by cycle while it multiplies: ports' bits of many sequences at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout
from hwgen.weights import encode
from models.checks import require

AFTER = 4
"""Cycles after the last result's, so that it can be read."""


@dataclass(frozen=True)
class Work:
    """Products of rows and vectors: each sequence is one of each, all words one after the other.

    Attributes
    ----------
    weights : int8, (sequences, rows, columns)
        -1, 0 and +1, or of baselines any integers.
    codes : int64, (sequences, columns)
    source : str
        Where they are from.
    """

    weights: NDArray[np.int8]
    codes: NDArray[np.int64]
    source: str

    def expected(self) -> NDArray[np.int64]:
        """Return the sums of products: int64, (sequences, rows)."""
        return np.einsum("src,sc->sr", self.weights.astype(np.int64), self.codes)


@dataclass(frozen=True)
class Drive:
    """Ports' values for a simulation.

    Attributes
    ----------
    ports : dict of str to uint64, (cycles, bits, words)
        A bit of each word for each sequence.
    begin, end : int
        Cycles from the first step of the steady state until the last one's end.
    """

    ports: dict[str, NDArray[np.uint64]]
    begin: int
    end: int


def drive(work: Work, config: HardwareConfig) -> Drive:
    """Drive a unit of :mod:`fpga.unit` with one pass over ternary or binary weights.

    Parameters
    ----------
    config : HardwareConfig
        Of one weight a word and column.
    """
    sequences, rows, columns = work.weights.shape
    lanes, digits, depth = config.lanes, config.digits, config.depth
    require(config.weights == 1, "weights in a word", "be 1 to measure a unit", config.weights)
    require(columns % lanes == 0, "columns", f"be a multiple of {lanes} lanes", columns)
    words = columns // lanes
    cycles = words * digits + depth + AFTER
    step = np.arange(words * digits)
    word, digit = step // digits, step % digits

    def flag(at: NDArray[np.intp], late: int) -> NDArray[np.uint64]:
        bits = np.zeros(cycles, bool)
        bits[at + late] = True
        return np.where(bits, ~np.uint64(0), np.uint64(0))[:, None, None]

    laid = work.weights.reshape(sequences, rows, words, lanes)
    image = encode(laid, config).transpose(2, 1, 3, 0).reshape(words, -1, sequences)
    shape = digit_layout(config).elem_shape
    shift = config.digit * (digits - 1 - digit)
    codes = work.codes.reshape(sequences, words, lanes)[:, word] >> shift[:, None]
    top = (digit == 0)[:, None]
    codes = np.where(top, codes, codes & ((1 << config.digit) - 1))
    bits = codes[..., None] >> np.arange(shape.width) & 1  # (sequences, steps, lanes, bits)
    bits = bits.transpose(1, 2, 3, 0).reshape(len(step), -1, sequences)
    late = 2 + depth
    ports = {
        "weights": _held(pack(image)[word], cycles),
        "digit": _held(pack(bits), cycles),
        "mask": flag(np.arange(cycles), 0),
        "term_load": flag(step[digit == 0], 0),
        "valid": flag(step, late),
        "first": flag(step[digit == 0], late),
        "last": flag(step[digit == digits - 1], late),
        "add": flag(step[digit == digits - 1], late + 1),
        "clear": flag(np.arange(2), 0),
    }
    packed = ports["digit"].shape[-1]
    ports = {name: np.broadcast_to(p, (*p.shape[:2], packed)) for name, p in ports.items()}
    return Drive(ports, late, len(step))


def pack(bits: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Pack (..., sequences) of zeros and ones into words: uint64, (..., sequences / 64)."""
    require(bits.shape[-1] % 64 == 0, "sequences", "be a multiple of 64", bits.shape[-1])
    packed = np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view(np.uint64)


def unpack(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Undo :func:`pack`."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")


def integers(words: NDArray[np.uint64], width: int) -> NDArray[np.int64]:
    """Read signed integers from a port: (bits, words) to (sequences, integers)."""
    bits = unpack(words).reshape(-1, width, words.shape[-1] * 64).astype(np.int64)
    value = (bits << np.arange(width)[:, None]).sum(1)
    return np.where(bits[:, -1] == 1, value - (1 << width), value).T


def _held(values: NDArray[np.uint64], cycles: int) -> NDArray[np.uint64]:
    """Repeat the last value until the end."""
    return np.concatenate([values, np.repeat(values[-1:], cycles - len(values), 0)])


def random_work(
    sequences: int, rows: int, columns: int, config: HardwareConfig, seed: int
) -> Work:
    """Return random weights and activations that are like those of layers.

    Weights are each value with the same probability; codes are of a normal distribution whose
    fourfold deviation is the largest code, as the largest of a token often is.
    """
    rng = np.random.default_rng(seed)
    weights = rng.integers(-1 if config.signed_weights else 0, 2, (sequences, rows, columns))
    low, high = config.code_range
    codes = rng.normal(0, high / 4, (sequences, columns)) if low else rng.integers(
        0, high + 1, (sequences, columns)
    )
    return Work(weights.astype(np.int8), np.clip(np.rint(codes), low, high).astype(np.int64),
                f"random, seed {seed}")  # fmt: skip
