"""What reaches a unit cycle by cycle while it multiplies: ports' bits of many sequences at once."""

from dataclasses import dataclass

import numpy as np
from amaranth import Shape
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout
from hwgen.patterns import entry_range, patterns
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
    products : int
        Of the whole layer that they are of, as the unit does them; 0 of random ones.
    """

    weights: NDArray[np.int8]
    codes: NDArray[np.int64]
    source: str
    products: int = 0

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
        The first cycle in which results are worked on, and how many cycles bring new operands.
    """

    ports: dict[str, NDArray[np.uint64]]
    begin: int
    end: int

    @property
    def counted(self) -> range:
        """Cycles in which every stage works: operands still come, and results are worked on."""
        require(self.begin < self.end, "work", f"last more than {self.begin} cycles", self.end)
        return range(self.begin, self.end)


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
    late = 2 + depth
    ports = {
        "weights": _held(pack(image)[word], cycles),
        "digit": _held(
            _bits(steps_of(work, config), digit_layout(config).elem_shape.width), cycles
        ),
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


def drive_element(work: Work, config: HardwareConfig) -> Drive:
    """Drive a processing element alone: its digits come a cycle later than a unit gets them."""
    unit = drive(work, config)
    ports = {name: values for name, values in unit.ports.items() if name not in ("add", "clear")}
    if config.kind == "lut":
        ports["digit"] = _held(_tables(steps_of(work, config), config), len(ports["valid"]))
    ports["digit"] = np.concatenate([ports["digit"][:1], ports["digit"][:-1]])
    return Drive(ports, unit.begin, unit.end)


def cut(codes: NDArray[np.integer], config: HardwareConfig) -> NDArray[np.int64]:
    """Cut activations into digits, top one first: (...) to (..., digits)."""
    digits = codes[..., None].astype(np.int64) >> config.digit * np.arange(config.digits)[::-1]
    digits[..., 1:] &= (1 << config.digit) - 1
    return digits


def steps_of(work: Work, config: HardwareConfig) -> NDArray[np.int64]:
    """Return the digits of each step: (sequences, steps, lanes)."""
    digits = cut(work.codes.reshape(len(work.codes), -1, config.lanes), config)
    return digits.transpose(0, 1, 3, 2).reshape(len(work.codes), -1, config.lanes)


def _tables(digits: NDArray[np.int64], config: HardwareConfig) -> NDArray[np.uint64]:
    """Build the tables of lut, as :mod:`hwgen.tables` does."""
    missing = config.table_groups * config.table - config.lanes
    padded = np.pad(digits, ((0, 0), (0, 0), (0, missing)))
    groups = padded.reshape(*digits.shape[:2], config.table_groups, config.table)
    sums = groups @ np.array(patterns(config)[1:]).T
    low, high = entry_range(config)
    return _bits(sums.reshape(*digits.shape[:2], -1), Shape.cast(range(low, high + 1)).width)


def _bits(values: NDArray[np.int64], width: int) -> NDArray[np.uint64]:
    """Pack integers, (sequences, steps, n), as bits of ports: (steps, n * width, words)."""
    bits = values[..., None] >> np.arange(width) & 1
    return pack(bits.transpose(1, 2, 3, 0).reshape(values.shape[1], -1, len(values)))


def drive_baseline(work: Work, lanes: int, weight_bits: int, act_bits: int) -> Drive:
    """Drive a baseline with a word each cycle; operands come a cycle after their weights."""
    weights = _words(work.weights[:, 0], lanes, weight_bits)
    digit = _words(work.codes, lanes, act_bits)
    cycles = len(weights) + AFTER
    ports = {
        "weights": _held(weights, cycles),
        "digit": _held(np.concatenate([digit[:1], digit]), cycles),
        "term_load": np.full((cycles, 1, digit.shape[-1]), ~np.uint64(0)),
    }
    return Drive(ports, 2, len(weights))


def drive_counter(work: Work, lanes: int, bits: int) -> Drive:
    """Drive a counter: bits of all words' activations, the top ones first."""
    sequences, _, columns = work.weights.shape
    words = columns // lanes
    weights = _words(work.weights[:, 0], lanes, 1)
    planes = [_words(work.codes >> bit, lanes, 1) for bit in reversed(range(bits))]
    cycle = np.arange(words * bits)

    def flag(at: NDArray[np.bool_]) -> NDArray[np.uint64]:
        column = np.where(at, ~np.uint64(0), np.uint64(0))[:, None, None]
        return np.broadcast_to(
            _held(column, len(cycle) + AFTER), (len(cycle) + AFTER, 1, sequences // 64)
        )

    ports = {
        "weights": _held(np.concatenate([weights] * bits), len(cycle) + AFTER),
        "digit": _held(np.concatenate(planes), len(cycle) + AFTER),
        "clear": flag(cycle == 0),
        "shift": flag(cycle % words == 0),
        "negative": flag(cycle < words),
    }
    return Drive(ports, 2, len(cycle))


def _words(values: NDArray[np.integer], lanes: int, width: int) -> NDArray[np.uint64]:
    """Pack integers of words, (sequences, columns): (words, lanes * width, sequences / 64)."""
    laid = values.reshape(len(values), -1, lanes, 1).astype(np.int64) >> np.arange(width) & 1
    return pack(laid.transpose(1, 2, 3, 0).reshape(laid.shape[1], -1, len(values)))


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


STEPS = {2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881, 6: 0.1041, 7: 0.0569, 8: 0.0308}
"""By bits: the step of the quantizer that has the least mean square error for a normal distribution
of deviation 1 (Max, IRE Transactions on Information Theory 6, 1960)."""


def deviation(high: int) -> float:
    """Return the standard deviation of normal values that are rounded to integers up to ``high``.

    That of the best quantizer; above 8 bits a fourth of ``high``, which is near it.
    """
    bits = high.bit_length() + 1
    return 1 / STEPS[bits] if bits in STEPS else high / 4


def random_work(
    sequences: int, columns: int, weights: tuple[int, int], codes: tuple[int, int], seed: int
) -> Work:
    """Return one row of random weights and activations for each sequence.

    Parameters
    ----------
    weights, codes : tuple of int
        Smallest and largest. Up to three weights each have the same probability, and so have codes
        without sign; others are those of a normal distribution, see :func:`deviation`.
    """
    rng = np.random.default_rng(seed)

    def values(low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        if high - low < 3 or low == 0:
            return rng.integers(low, high + 1, shape)
        return np.clip(np.rint(rng.normal(0, deviation(high), shape)), low, high).astype(np.int64)

    drawn = values(*weights, (sequences, 1, columns)).astype(np.int8)
    return Work(drawn, values(*codes, (sequences, columns)), f"random, seed {seed}")
