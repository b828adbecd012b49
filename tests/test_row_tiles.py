"""Row tiles as layers of their own: the same words, cut."""

import numpy as np
import pytest

from hwgen.config import HardwareConfig
from hwgen.image import image, row_tiles
from sim.cases import random_job
from sim.laid import split

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64)


@pytest.mark.parametrize("seed", range(20))
def test_tiles_are_the_images_of_their_rows(seed: int) -> None:
    stage = random_job(np.random.default_rng(seed), CONFIG).stage
    whole = image(stage, CONFIG)
    tiles = row_tiles(whole, stage, CONFIG)
    wanted = [image(rows, CONFIG) for rows in split(stage, CONFIG.pe, whole.tiling.row_tiles)]
    assert len(tiles) == len(wanted)
    for got, want in zip(tiles, wanted, strict=True):
        assert got.tiling == want.tiling
        for name in ("layers", "weights", "coefficients", "offsets", "scales"):
            assert (getattr(got, name) == getattr(want, name)).all(), f"{name}, seed {seed}"
            assert getattr(got, name).shape == getattr(want, name).shape
