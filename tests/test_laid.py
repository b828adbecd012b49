"""Stages split by rows and laid out: the same integers, and images that are kept."""

from pathlib import Path

import numpy as np
import pytest
from builders import differences
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.config import HardwareConfig
from models.reference import integer_weights
from sim import laid
from sim.cases import random_job
from sim.laid import WORDS, lay_out, split

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "planesmith" / "images"


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 5), out=st.integers(1, 30))
def test_parts_are_the_rows(seed: int, parts: int, out: int) -> None:
    job = random_job(np.random.default_rng(seed), CONFIG, out=out)
    pieces = split(job.stage, CONFIG.pe, parts)
    assert len(pieces) == min(parts, -(-out // CONFIG.pe))
    assert all(piece.out % CONFIG.pe == 0 for piece in pieces[:-1])
    tiles = [-(-piece.out // CONFIG.pe) for piece in pieces]
    assert max(tiles) - min(tiles) <= 1
    whole = integer_weights(job.stage).numpy()
    joined = np.concatenate([integer_weights(piece).numpy() for piece in pieces], axis=1)
    assert (joined == whole).all()


def test_images_are_kept_by_content(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    stage, other = (random_job(rng, CONFIG, out=9).stage for _ in range(2))
    made = lay_out(stage, CONFIG, 2)
    files = {file: file.read_bytes() for file in cache.iterdir()}
    assert len(files) == 2
    monkeypatch.setattr(laid, "image", None)
    again = lay_out(stage, CONFIG, 2)
    assert again.key == made.key
    for (_, one), (_, two) in zip(made.parts, again.parts, strict=True):
        for name in WORDS:
            assert not differences(getattr(one, name), getattr(two, name), name)
    with pytest.raises(TypeError, match="not callable"):
        lay_out(other, CONFIG, 2)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    damaged = next(iter(files))
    damaged.write_bytes(files[damaged][:50])
    lay_out(stage, CONFIG, 2)
    assert damaged.read_bytes() == files[damaged]


def test_key_depends_on_stage_and_circuit() -> None:
    rng = np.random.default_rng(4)
    one, two = (random_job(rng, CONFIG, out=9).stage for _ in range(2))
    wide = HardwareConfig(k=2, pe=4, lanes=16, columns=64)
    keys = {lay_out(one, CONFIG, 1).key, lay_out(two, CONFIG, 1).key, lay_out(one, wide, 1).key}
    assert len(keys) == 3
    assert lay_out(one, CONFIG, 3).key in keys
