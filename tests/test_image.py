"""Memory image: every word against naive loops, read back through the layouts of the circuit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.lib import data

from hwgen.config import HardwareConfig
from hwgen.image import Words, activation_words, image, results
from hwgen.layouts import (
    activation_layout,
    layer_layout,
    output_layout,
    parameter_layout,
    weight_layout,
)
from models.codes import Requantize
from models.planes import unpack
from models.stage import Stage
from sim.cases import mixed, random_job
from sim.jobs import Job

CONFIGS = [
    HardwareConfig(k=2, pe=4, lanes=8, act_bits=4, columns=64),
    HardwareConfig(k=3, pe=5, lanes=3, act_bits=3, columns=27, coef_bits=9, terms=5),
    HardwareConfig(k=1, pe=3, lanes=5, act_bits=1, act_signed=False, columns=33, acc_bits=39),
    HardwareConfig(k=2, pe=7, lanes=2, act_bits=16, columns=16, rows=40, requantize_bits=16),
    HardwareConfig(k=2, pe=5, lanes=4, act_bits=5, digit=2, columns=32),
]
SHAPES = [(1, 1, 1), (3, 16, 8), (4, 9, 9), (5, 11, 4), (13, 7, 3), (9, 16, 16)]


@pytest.fixture(params=range(len(CONFIGS)), ids=["whole", "odd", "binary", "wide", "digits"])
def config(request: pytest.FixtureRequest) -> HardwareConfig:
    return CONFIGS[request.param]


@pytest.fixture(params=SHAPES, ids=str)
def job(request: pytest.FixtureRequest, config: HardwareConfig) -> Job:
    """Return random jobs of odd shapes; every third one plain, with offsets and scales, mixed."""
    out, columns, group = request.param
    if -(-columns // group) * -(-group // config.lanes) > config.buffer_words:
        group = columns
    rng = np.random.default_rng(out)
    job = random_job(rng, config, out=out, columns=columns, group=group, tokens=2)
    kind = SHAPES.index(request.param) % 3
    if kind == 2:
        return Job(mixed(job.stage, config), job.codes)
    offset, requantize = None, None
    if kind == 1:
        top = 1 << (config.coef_bits - 1)
        offset = rng.integers(-top, top, (1, out, job.stage.groups)).astype(np.int16)
        scale = rng.integers(-top, top, (1, out)).astype(np.int16)
        requantize = Requantize(scale, 11, config.requantize_bits)
    return Job(replace(job.stage, offset=offset, requantize=requantize), job.codes)


def read(words: Words, layout: data.Layout) -> list[Any]:
    """Read words through a layout; bits beyond it are zero."""
    size = -(-layout.size // 8)
    assert words.shape[1] == size
    numbers = [int.from_bytes(word.tobytes(), "little") for word in words]
    assert all(number >> layout.size == 0 for number in numbers)
    return [layout.from_bits(number) for number in numbers]


def words_of(stage: Stage, lanes: int) -> Iterator[list[int | None]]:
    """Walk groups and their words; for each, the column of each lane, or None."""
    for start in range(0, stage.columns, stage.group):
        end = min(start + stage.group, stage.columns)
        for word in range(start, end, lanes):
            columns = range(word, word + lanes)
            yield [column if column < end else None for column in columns]


def rows_of(stage: Stage, config: HardwareConfig) -> Iterator[list[list[int | None]]]:
    """Walk row tiles; for each, for each slot, the row of each scaler, or None."""
    for first in range(0, stage.out, config.pe):
        slots: list[list[int | None]] = []
        for slot in range(config.slots):
            places = range(slot * config.scalers, (slot + 1) * config.scalers)
            slots.append([
                first + place if place < config.pe and first + place < stage.out else None
                for place in places
            ])
        yield slots


def test_layers(job: Job, config: HardwareConfig) -> None:
    stage, tiling = job.stage, job.tiling(config)
    (layer,) = read(image(stage, config).layers, layer_layout(config))
    for name in ("row_tiles", "groups", "group_words", "tail_words", "terms"):
        assert layer[name] == getattr(tiling, name), name
    assert list(layer["monomials"])[: stage.terms] == list(stage.monomials)
    assert layer["offset"] == (stage.offset is not None or stage.mix is not None)
    assert layer["requantize"] == (stage.requantize is not None)
    assert layer["shift"] == (stage.requantize.shift if stage.requantize else 0)


def test_weights(job: Job, config: HardwareConfig) -> None:
    stage = job.stage
    bits = unpack(stage.planes, stage.columns)
    words = read(image(stage, config).weights, weight_layout(config))
    wanted = [
        (first, columns)
        for first in range(0, stage.out, config.pe)
        for columns in words_of(stage, config.lanes)
    ]
    for word, (first, columns) in zip(words, wanted, strict=True):
        for pe in range(config.pe):
            for plane in range(config.k):
                for lane, column in enumerate(columns):
                    used = column is not None and first + pe < stage.out
                    want = bits[plane, first + pe, column] if used else 0
                    assert word[pe][plane] >> lane & 1 == want


def test_bits_of_a_weight_word() -> None:
    """For each PE, for each plane, one bit a lane."""
    config = CONFIGS[1]
    number = 1 << ((3 * config.k + 2) * config.lanes + 1)
    word = weight_layout(config).from_bits(number)
    assert [list(planes) for planes in word] == [
        [2 if (pe, plane) == (3, 2) else 0 for plane in range(config.k)] for pe in range(config.pe)
    ]


def check_parameters(
    words: Words, config: HardwareConfig, wanted: list[list[tuple[Any, ...] | None]], of: np.ndarray
) -> None:
    """Compare words with the parameters at their places; where there is no row they are zero."""
    for word, places in zip(read(words, parameter_layout(config)), wanted, strict=True):
        assert list(word) == [0 if place is None else of[place] for place in places]


def coefficients_of(stage: Stage) -> np.ndarray:
    """Return the coefficients of rows, groups and terms."""
    stored = stage.coefficients[0].astype(np.int64)
    if stage.mix is None:
        return stored
    parts = [stored[..., [i]] * np.array(row[:-1]) for i, row in enumerate(stage.mix)]
    return np.sum(parts, axis=0)


def offsets_of(stage: Stage) -> np.ndarray | None:
    """Return the offsets of rows and groups."""
    if stage.mix is None:
        return None if stage.offset is None else stage.offset[0]
    stored = stage.coefficients[0].astype(np.int64)
    return np.sum([stored[..., i] * row[-1] for i, row in enumerate(stage.mix)], axis=0)


def test_coefficients(job: Job, config: HardwareConfig) -> None:
    """By row tile, group, term and slot."""
    stage = job.stage
    wanted = [
        [None if row is None else (row, group, term) for row in rows]
        for slots in rows_of(stage, config)
        for group in range(stage.groups)
        for term in range(stage.terms)
        for rows in slots
    ]
    words = image(stage, config).coefficients
    check_parameters(words, config, wanted, coefficients_of(stage))


def test_offsets(job: Job, config: HardwareConfig) -> None:
    """By row tile, group and slot; none for a stage without."""
    stage = job.stage
    words = image(stage, config).offsets
    offsets = offsets_of(stage)
    if offsets is None:
        assert len(words) == 0
        return
    wanted = [
        [None if row is None else (row, group) for row in rows]
        for slots in rows_of(stage, config)
        for group in range(stage.groups)
        for rows in slots
    ]
    check_parameters(words, config, wanted, offsets)


def test_scales(job: Job, config: HardwareConfig) -> None:
    """By row tile and slot; none for a stage that is not requantized."""
    stage = job.stage
    words = image(stage, config).scales
    if stage.requantize is None:
        assert len(words) == 0
        return
    wanted = [
        [None if row is None else (row,) for row in rows]
        for slots in rows_of(stage, config)
        for rows in slots
    ]
    check_parameters(words, config, wanted, stage.requantize.row_scale[0])


def test_activations(job: Job, config: HardwareConfig) -> None:
    """All words of a token, the last one marked, then those of the next; empty lanes are zero."""
    stage = job.stage
    words = read(activation_words(job.codes, stage, config), activation_layout(config))
    wanted = [
        [0 if column is None else int(codes[column]) for column in columns]
        for codes in job.codes
        for columns in words_of(stage, config.lanes)
    ]
    assert [list(word["values"]) for word in words] == wanted
    row_words = job.tiling(config).row_words
    assert [word["last"] for word in words] == ([0] * (row_words - 1) + [1]) * len(job.codes)


def test_results(job: Job, config: HardwareConfig) -> None:
    """``results`` finds each row of each token in words made by plain loops."""
    stage, layout = job.stage, output_layout(config)
    top = 1 << (config.acc_bits - 1)
    values = np.random.default_rng(1).integers(-top, top, (2, stage.out))
    values[:, 0] = -top, top - 1
    numbers = [
        layout
        .const({
            "values": [7 if row is None else int(token[row]) for row in rows],
            "last": slots is tiles[-1] and rows is slots[-1],
        })
        .as_value()
        .value
        for token in values
        for tiles in [list(rows_of(stage, config))]
        for slots in tiles
        for rows in slots
    ]
    size = -(-layout.size // 8)
    words = np.array([list(number.to_bytes(size, "little")) for number in numbers], np.uint8)
    assert (results(words, stage.out, config) == values).all()
