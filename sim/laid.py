"""Stages laid out for circuits: split by rows among engines, packed once and kept by content."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import hwgen
from hwgen.config import HardwareConfig
from hwgen.image import Image, image, row_tiles
from hwgen.tiling import Tiling
from models.fetch import cache_folder
from models.files import blaming, whole_file
from models.stage import Stage
from sim.jobs import STREAMS, Job, can_link

WORDS = tuple(name for name in STREAMS if name != "activations")
"""The streams of an image."""


@dataclass(frozen=True)
class Laid:
    """A stage as engines read it.

    Attributes
    ----------
    stage : Stage
    tiling : Tiling
        Of the whole stage.
    chain_bits : int
        Bits of the codes of a chain's second stage.
    parts : tuple of (Stage, Image)
        Rows that follow each other, whole tiles but in the last part; one for each engine that
        gets any.
    key : bytes
        The same for the same stage on the same circuit, whatever the parts.
    link : Stage or None
        A chain's second stage, which the circuit feeds itself; there is one part then, as each of
        its rows needs all results of the first.
    """

    stage: Stage
    tiling: Tiling
    chain_bits: int
    parts: tuple[tuple[Stage, Image], ...]
    key: bytes
    link: Stage | None = None

    def jobs(
        self,
        codes: NDArray[np.integer],
        config: HardwareConfig,
        exponents: NDArray[np.integer] | None = None,
    ) -> list[list[Job]]:
        """Return the jobs of each part, in the order of the rows.

        One token makes one job of a part. Of several, each row tile makes one, so that a tile's
        image serves all tokens before the next one comes; where stages are linked, one job reads
        all for each token.

        Parameters
        ----------
        codes : integers, (tokens, views, columns)
        exponents : integers, (tokens, groups), or None
        """
        job = Job(self.stage, codes, self.chain_bits, exponents=exponents, link=self.link)
        job = replace(job, words=job.activations(config))
        if len(codes) == 1 or self.link is not None:
            return [[replace(job, stage=stage, laid=laid)] for stage, laid in self.parts]
        return [
            [
                replace(job, stage=tile, laid=laid)
                for tile, laid in zip(
                    split(stage, config.pe, whole.tiling.row_tiles),
                    row_tiles(whole, stage, config),
                    strict=True,
                )
            ]
            for stage, whole in self.parts
        ]


def lay_out(stage: Stage, config: HardwareConfig, engines: int, chain_bits: int = 16) -> Laid:
    """Lay a stage out for so many engines; see :meth:`Tiling.of` for the errors."""
    tiling = Tiling.of(stage, config, chain_bits)
    key = _digest(stage, config, chain_bits, _generator())
    parts = [(part, _image(part, config, chain_bits)) for part in split(stage, config.pe, engines)]
    return Laid(stage, tiling, chain_bits, tuple(parts), key)


def lay_out_chain(stages: tuple[Stage, ...], config: HardwareConfig, engines: int) -> list[Laid]:
    """Lay out the stages of a path, each with the width of the codes that reach it.

    Stages that the circuit links are laid out as one.
    """
    if can_link(stages, config):
        return [_lay_out_linked(stages[0], stages[1], config)]
    before = [None, *(stage.requantize for stage in stages[:-1])]
    return [
        lay_out(stage, config, engines, 16 if spec is None else spec.bits)
        for stage, spec in zip(stages, before, strict=True)
    ]


def _lay_out_linked(first: Stage, second: Stage, config: HardwareConfig) -> Laid:
    key = _digest(first, second, config, _generator())
    job = Job(first, np.zeros((1, first.views, first.columns), np.int8), link=second)
    whole = _kept(key, job.tiling(config), lambda: job.image(config))
    return Laid(first, whole.tiling, job.chain_bits, ((first, whole),), key, second)


def split(stage: Stage, tile: int, parts: int) -> list[Stage]:
    """Split a stage by rows into at most so many parts of nearly as many whole tiles each."""
    tiles = ceil(stage.out / tile)
    count = min(parts, tiles)
    ends = [min(tile * (tiles * part // count), stage.out) for part in range(count + 1)]
    return [rows(stage, start, stop) for start, stop in pairwise(ends)]


def rows(stage: Stage, start: int, stop: int) -> Stage:
    """Return rows ``start`` to ``stop - 1`` of a stage as a stage."""

    def cut(array: NDArray, axis: int) -> NDArray:
        return array if array.shape[axis] == 1 else array.take(range(start, stop), axis)

    indexed = stage.index is not None
    again = stage.requantize
    return replace(
        stage,
        planes=stage.planes[:, start:stop],
        coefficients=stage.coefficients if indexed else cut(stage.coefficients, 1),
        offset=None if stage.offset is None else cut(stage.offset, 1),
        index=None if stage.index is None else cut(stage.index, 0),
        bias=None if stage.bias is None else stage.bias[start:stop],
        requantize=again and replace(again, row_scale=again.row_scale[:, start:stop]),
    )


def _image(stage: Stage, config: HardwareConfig, chain_bits: int) -> Image:
    key = _digest(stage, config, chain_bits, _generator())
    tiling = Tiling.of(stage, config, chain_bits)
    return _kept(key, tiling, lambda: image(stage, config, chain_bits))


def _kept(key: bytes, tiling: Tiling, make: Callable[[], Image]) -> Image:
    """Return an image from the cache, if it was ever made."""
    folder = cache_folder().parent / "images"
    file = folder / f"{key.hex()[:40]}.safetensors"
    if file.is_file():
        try:
            kept = load_file(file)
            return Image(tiling, *(kept[name] for name in WORDS))
        except (SafetensorError, KeyError):
            file.unlink()  # damaged from outside: made again
    made = make()
    with blaming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        save_file({name: np.ascontiguousarray(getattr(made, name)) for name in WORDS}, part)
    return made


@cache
def _generator() -> str:
    """Return a hash of the source of the generator, which decides the order of the words."""
    sources = sorted(Path(hwgen.__path__[0]).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()


def _digest(*values: object) -> bytes:
    digest = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        elif isinstance(value, tuple):
            digest.update(f"{len(value)}".encode())
            for item in value:
                add(item)
        elif is_dataclass(value):
            for field in fields(value):
                digest.update(f";{field.name}=".encode())
                add(getattr(value, field.name))
        else:
            digest.update(f"{value!r};".encode())

    add(values)
    return digest.digest()
