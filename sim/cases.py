"""Stages and inputs that a circuit of a given configuration must get right."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from models.codes import Activation, Requantize
from models.planes import pack
from models.stage import Stage
from sim.jobs import Job

FLOWS = ((0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5))
"""Probabilities of pauses of the sources and of the sink: neither, one, the other, and both."""


def random_job(
    rng: np.random.Generator,
    config: HardwareConfig,
    *,
    out: int | None = None,
    columns: int | None = None,
    group: int | None = None,
    tokens: int = 1,
    opposite: bool = True,
) -> Job:
    """Make a job with everything random that is not given, within what the circuit can run.

    Without ``opposite``, coefficients of one group are not each other's negatives by design.
    """
    words = int(rng.integers(1, min(config.buffer_words, 6) + 1))
    columns = columns or int(rng.integers(1, words * config.lanes + 1))
    group = group or _random_group(rng, columns, config)
    out = out or int(rng.integers(1, 3 * config.pe + 1))
    groups = -(-columns // group)
    fit = config.buffer_words // (groups * -(-group // config.lanes))
    views = int(rng.integers(1, min(config.views, fit) + 1))
    terms = int(rng.integers(1, config.most_terms + 1))
    top = (1 << (config.coef_bits - 1)) - 1
    scales = rng.integers(-top - 1, top + 1, (views, out)).astype(np.int16)
    shape = (views, out, groups)
    coefficients = rng.integers(-top - 1, top + 1, (*shape, terms)).astype(np.int16)
    k = config.k
    if config.signed_weights:  # any planes will do, and each pass may take two opposite terms
        k = int(rng.integers((2 * terms).bit_length(), 6))
        pairs = int(rng.integers(0, terms + 1)) if opposite else 0
        coefficients = np.maximum(coefficients, -top)
        coefficients = np.concatenate([coefficients, -coefficients[..., :pairs]], axis=-1)
    monomials = rng.permutation(np.arange(1, 1 << k))[: coefficients.shape[-1]]
    offset = rng.integers(-top - 1, top + 1, shape).astype(np.int16)
    grown = bool(config.exponents) and config.act_bits > 1 and rng.random() < 0.7
    activation = Activation(
        bits=config.act_bits, signed=config.act_signed, scale="group" if grown else "token",
        group=group if grown else 0, exponents=config.exponents if grown else 0,
    )  # fmt: skip
    shift = int(rng.integers(0, min(63, config.sum_bits + 2 * config.coef_bits)))
    stage = Stage(
        planes=pack(rng.random((k, out, columns)) < rng.random()),
        columns=columns,
        group=group,
        coefficients=coefficients,
        monomials=tuple(int(mono) for mono in monomials),
        offset=offset if rng.random() < 0.5 else None,
        activation=activation,
        requantize=Requantize(scales, shift, config.requantize_bits)
        if config.requantize_bits and rng.random() < 0.3
        else None,
        views=views,
    )
    low, high = config.code_range
    codes = rng.integers(
        low, high + 1, (tokens, columns) if views == 1 else (tokens, views, columns)
    )
    exponents = rng.integers(0, config.exponents + 1, (tokens, groups)) if grown else None
    return Job(stage, codes, exponents=exponents)


def _random_group(rng: np.random.Generator, columns: int, config: HardwareConfig) -> int:
    """Return a group whose whole words still fit the activation buffer."""
    fits = [
        group
        for group in range(1, columns + 1)
        if -(-columns // group) * -(-group // config.lanes) <= config.buffer_words
    ]
    return int(rng.choice([*fits[:2], *fits[-2:], int(rng.choice(fits))]))


def every_kind(rng: np.random.Generator, config: HardwareConfig) -> list[Job]:
    """Make the jobs that go wrong first: extremes, zeros, ties, and odd shapes.

    Layers larger and smaller than the array, of one row, of one column and of whole words.
    """
    pe, lanes = config.pe, config.lanes
    most = config.buffer_words * lanes
    shapes = [
        (1, 1, 1),
        (1, min(3 * lanes, most), min(lanes, most)),
        (pe, lanes, lanes),
        (pe + 1, max(1, lanes - 1), max(1, lanes - 1)),
        (2 * pe + max(1, pe // 2), min(2 * lanes + 1, most), min(2 * lanes + 1, most)),
        (max(1, pe - 1), min(lanes + 1, most), min(lanes + 1, most)),
    ]
    jobs = [
        random_job(rng, config, out=out, columns=columns, group=group)
        for out, columns, group in shapes
    ]
    columns, group = min(2 * lanes, most), min(lanes, most)
    whole = random_job(rng, config, out=pe, columns=columns, group=group, opposite=False)
    low, high = config.code_range
    top = 1 << (config.coef_bits - 1)
    for code in (low, high, 0, None):
        for coefficient in (-top, top - 1, 0, None):
            jobs.append(_flat(whole, code, coefficient, lambda bits: np.ones_like(bits)))
    jobs.append(_flat(whole, low, -1, lambda bits: np.zeros_like(bits)))
    jobs.append(replace(whole, stage=mixed(whole.stage, config)))
    if config.buffer_words >= 3:
        jobs += [_biased(rng, config, bits) for bits in (4, config.coef_bits + 1)]
    jobs += _one_sign(config) if config.signed_weights else []
    return jobs + (_ties(config) if config.requantize_bits else [])


def _biased(rng: np.random.Generator, config: HardwareConfig, bits: int) -> Job:
    """Make a job with an integer bias of so many bits, as it is laid out with extra groups."""
    lanes = config.lanes if bits > config.coef_bits else max(1, config.lanes - 1)
    job = random_job(rng, config, columns=lanes, group=lanes)
    stage = job.stage
    if lanes == 1 or stage.views > 1:
        bits = min(bits, config.coef_bits - 1)
    bias = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), stage.out)
    views = (2 if bits < config.coef_bits else 3) * stage.views
    fits = views <= config.buffer_words
    return replace(job, stage=replace(stage, bias=bias if fits else 0 * bias))


def mixed(stage: Stage, config: HardwareConfig) -> Stage:
    """Replace coefficients by half as many, each of which two terms share, the second negated.

    The first counts in the offset as well: all that a circuit's coefficients can be, but -2**n.
    """
    stored = stage.coefficients[..., ::2].clip(1 - (1 << (config.coef_bits - 1)))
    mix = np.zeros((stored.shape[-1], stage.terms + 1), np.int64)
    mix[np.arange(stage.terms) // 2, np.arange(stage.terms)] = (-1) ** np.arange(stage.terms)
    mix[0, -1] = -1
    rows = tuple(tuple(row) for row in mix.tolist())
    return replace(stage, coefficients=stored, offset=None, mix=rows)


def _flat(
    job: Job,
    code: int | None,
    coefficient: int | None,
    fill: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> Job:
    """Copy a job with its planes filled, and all codes and coefficients alike where given."""
    stage = job.stage
    planes = pack(fill(np.zeros((stage.k, stage.out, stage.columns), np.uint8)).astype(np.bool_))
    stage = replace(stage, planes=planes, requantize=None)
    if coefficient is not None:
        stage = replace(
            stage,
            coefficients=np.full_like(stage.coefficients, coefficient),
            offset=np.full((stage.views, stage.out, stage.groups), coefficient, np.int16),
        )
    return replace(
        job, stage=stage, codes=job.codes if code is None else np.full_like(job.codes, code)
    )


def _one_sign(config: HardwareConfig) -> list[Job]:
    """Make jobs with ternary weights of +1 alone, -1 alone, and both planes set, which is 0."""
    jobs = []
    for code in config.code_range:
        for plus, minus in ((1, 0), (0, 1), (1, 1)):
            bits = np.array([plus, minus], np.bool_)[:, np.newaxis, np.newaxis]
            stage = Stage(
                planes=pack(np.broadcast_to(bits, (2, config.pe, config.lanes))),
                columns=config.lanes,
                group=config.lanes,
                coefficients=np.array([[[[1, -1]]]], np.int16),
                monomials=(1, 2),
                activation=Activation(bits=config.act_bits, signed=config.act_signed),
            )
            jobs.append(Job(stage, np.full((1, config.lanes), code)))
    return jobs


def _ties(config: HardwareConfig) -> list[Job]:
    """Make jobs whose scaled accumulators lie on, just below and just above a half."""
    out = 8
    accumulators = np.arange(-4, 4, dtype=np.int16)  # one a row
    jobs = []
    for shift in (1, 2, 3):
        stage = Stage(
            planes=pack(np.ones((config.k, out, 1), np.bool_)),
            columns=1,
            group=1,
            coefficients=accumulators.reshape(1, out, 1, 1),
            monomials=(1,),
            activation=Activation(bits=config.act_bits, signed=config.act_signed),
            requantize=Requantize(np.full((1, out), 1, np.int16), shift, config.requantize_bits),
        )
        jobs.append(Job(stage, np.ones((1, 1), np.int64)))
    return jobs
