"""Memory image: the words of every stream of the circuit, in the order in which it reads them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.folded import folded, folded_codes
from hwgen.layouts import layer_layout
from hwgen.tiling import Tiling
from hwgen.weights import encode, pass_weights, passes
from models.planes import unpack
from models.stage import Stage

Words = NDArray[np.uint8]
"""(words, bytes of a word), least significant byte first; unused bits of the last byte are 0."""


@dataclass(frozen=True)
class Image:
    """What a circuit reads to run one stage.

    Attributes
    ----------
    tiling : Tiling
    layers, weights, coefficients, offsets, scales : Words
        For the stream of the same name; offsets and scales are empty where the stage has none.
    """

    tiling: Tiling
    layers: Words
    weights: Words
    coefficients: Words
    offsets: Words
    scales: Words


def image(stage: Stage, config: HardwareConfig, chain_bits: int = 16, link_words: int = 0) -> Image:
    """Lay out a stage for a circuit; see :meth:`Tiling.of` for the errors.

    Parameters
    ----------
    link_words : int
        Activation words of each view that its results make inside; 0 if they go out.
    """
    tiling = Tiling.of(stage, config, chain_bits)
    stage = folded(stage, config.coef_bits)
    pluses = [one.plus for one in passes(stage, config)]
    coefficients = stage.spread_coefficients()[..., pluses].transpose(1, 2, 0, 3)
    return Image(
        tiling,
        _layer_words(stage, tiling, config, link_words),
        _weight_words(stage, tiling, config),
        _parameter_words(coefficients.reshape(stage.out, stage.groups, -1), config),
        _parameter_words(stage.spread_offset().transpose(1, 2, 0), config)[
            : None if stage.has_offset else 0
        ],
        _scale_words(stage, config),
    )


def row_tiles(whole: Image, stage: Stage, config: HardwareConfig) -> list[Image]:
    """Cut the image of a stage into those of its row tiles, each a layer of its own."""
    stage = folded(stage, config.coef_bits)
    count = whole.tiling.row_tiles
    tiling = replace(whole.tiling, row_tiles=1)
    layers = _layer_words(stage, tiling, config)
    streams = (whole.weights, whole.coefficients, whole.offsets, whole.scales)
    cut = zip(*(np.split(words, count) for words in streams), strict=True)
    return [Image(tiling, layers, *words) for words in cut]


def activation_words(
    codes: NDArray[np.integer],
    stage: Stage,
    config: HardwareConfig,
    exponents: NDArray[np.integer] | None = None,
    link: bool = False,
) -> Words:
    """Lay out input vectors.

    Parameters
    ----------
    codes : integers, (tokens, columns) or (tokens, views, columns)
    exponents : integers, (tokens, groups), or None
        Of each group; 0 where not given.
    link : bool
        The results of the stage are the vector that follows.

    Returns
    -------
    Words of ``activation_layout(config)``
        All words of the first token, then of the second, ...; of each word all views.
    """
    codes = folded_codes(codes, stage, config.coef_bits).reshape(len(codes), stage.views, -1)
    plain = folded(stage, config.coef_bits)
    by_word = _by_word(codes, plain, config.lanes).transpose(0, 2, 1, 3)
    tokens, words, views, _ = by_word.shape
    bits = _bits(by_word, config.act_bits).reshape(tokens, words * views, -1)
    last = np.zeros((tokens, words * views, 1), np.uint8)
    last[:, -1] = 1
    fields = [bits, last]
    if config.exponents:
        width = config.exponents.bit_length()
        grown = np.zeros((tokens, plain.groups), np.int64)
        if exponents is not None:
            grown[:, : stage.groups] = exponents
        each = np.arange(words) // -(-plain.group // config.lanes)
        fields.append(_bits(np.repeat(grown[:, each], views, axis=1), width))
    if config.link:
        fields.append(last * np.uint8(link))
    return _pack(np.concatenate(fields, axis=-1).reshape(tokens * words * views, -1))


def weight_rows(weights: NDArray, stage: Stage, config: HardwareConfig) -> NDArray:
    """Cut weights into words: (n, out, columns) to (words, pe, n, lanes), with zeros where none."""
    by_word = _by_word(weights, stage, config.lanes).transpose(1, 0, 2, 3)
    tiles = _by_tile(by_word, config.pe)  # (tiles, pe, n, words, lanes)
    return tiles.transpose(0, 3, 1, 2, 4).reshape(-1, config.pe, len(weights), config.lanes)


def results(words: Words, out: int, config: HardwareConfig, views: int = 1) -> NDArray[np.int64]:
    """Read output words back.

    Parameters
    ----------
    views : int
        Of the results: those of a requantized layer.

    Returns
    -------
    int64, (tokens, out), or (tokens, views, out) of several views
    """
    values = config.scalers * config.acc_bits
    bits = np.unpackbits(words, axis=-1, count=values, bitorder="little")
    numbers = _signed(bits.reshape(-1, config.scalers, config.acc_bits))
    row_tiles = -(-out // config.pe)
    tiles = numbers.reshape(-1, row_tiles, views, config.slots * config.scalers)
    rows = tiles[..., : config.pe].transpose(0, 2, 1, 3).reshape(len(tiles), views, -1)[..., :out]
    return rows if views > 1 else rows[:, 0]


def _by_word(columns: NDArray, stage: Stage, lanes: int) -> NDArray:
    """Cut the last axis into groups, each into whole words: (..., columns) to (..., words, lanes).

    Lanes without a column are zero.
    """
    whole = stage.columns // stage.group * stage.group
    groups = columns[..., :whole].reshape(*columns.shape[:-1], -1, stage.group)
    tail = columns[..., np.newaxis, whole:]
    parts = [_padded(part, lanes) for part in (groups, tail)]
    return np.concatenate([part.reshape(*columns.shape[:-1], -1, lanes) for part in parts], axis=-2)


def _padded(columns: NDArray, lanes: int) -> NDArray:
    """Pad the last axis with zeros to whole words."""
    missing = -columns.shape[-1] % lanes
    return np.pad(columns, [(0, 0)] * (columns.ndim - 1) + [(0, missing)]) if missing else columns


def _by_tile(rows: NDArray, tile: int) -> NDArray:
    """Cut rows into tiles, the last with zero rows: (rows, ...) to (tiles, tile, ...)."""
    padded = np.pad(rows, [(0, -len(rows) % tile)] + [(0, 0)] * (rows.ndim - 1))
    return padded.reshape(-1, tile, *rows.shape[1:])


def _layer_words(
    stage: Stage, tiling: Tiling, config: HardwareConfig, link_words: int = 0
) -> Words:
    monomials = [1 << number for number in range(tiling.terms)]
    if config.kind == "popcount":
        monomials = list(stage.monomials)
    fields = {
        "row_tiles": tiling.row_tiles,
        "groups": tiling.groups,
        "group_words": tiling.group_words,
        "tail_words": tiling.tail_words,
        "terms": tiling.terms,
        "monomials": monomials,
        "offset": int(stage.has_offset),
        "requantize": int(stage.requantize is not None),
        "shift": stage.requantize.shift if stage.requantize is not None else 0,
    }
    if config.views > 1:
        fields["views"] = tiling.views
    if config.link:
        fields |= {"link": int(link_words > 0), "link_words": link_words}
    layout = layer_layout(config)
    number = layout.const(fields).as_value().value
    return np.frombuffer(number.to_bytes(-(-layout.size // 8), "little"), np.uint8)[np.newaxis]


def _weight_words(stage: Stage, tiling: Tiling, config: HardwareConfig) -> Words:
    planes = config.kind == "popcount"
    weights = unpack(stage.planes, stage.columns) if planes else pass_weights(stage, config)
    weights = np.pad(weights, [(0, config.weights - len(weights)), (0, 0), (0, 0)])
    return _pack(encode(weight_rows(weights, stage, config), config).reshape(tiling.words, -1))


def _parameter_words(values: NDArray[np.integer], config: HardwareConfig) -> Words:
    """Order parameters by row tile, group, view, term, slot: (out, groups, terms) to words.

    ``terms`` are those of all views.
    """
    tiles = _by_tile(values, config.pe)  # (tiles, pe, groups, terms)
    slots = config.slots * config.scalers
    tiles = np.pad(tiles, [(0, 0), (0, slots - config.pe), (0, 0), (0, 0)])
    words = tiles.transpose(0, 2, 3, 1).reshape(-1, config.scalers)
    return _pack(_bits(words, config.coef_bits).reshape(len(words), -1))


def _scale_words(stage: Stage, config: HardwareConfig) -> Words:
    if stage.requantize is None:
        return np.zeros((0, 1), np.uint8)
    return _parameter_words(stage.requantize.row_scale.T[:, np.newaxis], config)


def _bits(values: NDArray[np.integer], width: int) -> NDArray[np.uint8]:
    """Two's complement bits, least significant first: (...) to (..., width)."""
    wide = np.ascontiguousarray(values, np.int32)[..., np.newaxis].view(np.uint8)
    return np.unpackbits(wide, axis=-1, count=width, bitorder="little")


def _signed(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Undo :func:`_bits` for up to 64 bits."""
    width = bits.shape[-1]
    spread = np.concatenate([bits, np.repeat(bits[..., -1:], 64 - width, axis=-1)], axis=-1)
    return np.packbits(spread, axis=-1, bitorder="little").view(np.int64)[..., 0]


def _pack(bits: NDArray[np.uint8]) -> Words:
    return np.packbits(bits, axis=-1, bitorder="little")
