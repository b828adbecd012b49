"""A whole engine as gates: integers as the reference has them, area and energy by component."""

from dataclasses import replace

import numpy as np
import pytest

from cost.cells import Library
from cost.liberty import parse
from cost.recipe import Recipe
from cost.whole import component_of, config_of, measure_whole, same, table
from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from sim.cases import random_job
from sim.gates import integers_of, measure_engine, tile_streams
from tests import liberties

SMALL = HardwareConfig(
    pe=2, lanes=2, act_bits=2, columns=8, rows=64, coef_bits=3, acc_bits=16,
    requantize_bits=2, weight_words=2,
)  # fmt: skip
CONFIGS = [
    SMALL,
    replace(SMALL, kind="addsub", digit=0),
    replace(SMALL, kind="addsub", digit=1, stage_every=1, requantize_bits=0),
]


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(parse(liberties.text(), "tiny.lib"))


@pytest.mark.parametrize("config", CONFIGS, ids=["popcount", "addsub", "staged"])
def test_gates_of_an_engine_give_the_references_integers(
    config: HardwareConfig, library: Library
) -> None:
    rng = np.random.default_rng(5)
    job = random_job(rng, config, out=9, columns=7, group=4, tokens=3)
    kept = measure_engine(job, config, library, Recipe(), [])
    assert kept["integers_equal"] == 64 * 3 * config.pe
    assert set(kept["area_um2"]) >= {"elements", "scalers", "scaling's controls", "sequencer",
                                     "array's controls", "buffers"}  # fmt: skip
    assert kept["area_um2"]["other"] < 0.1 * sum(kept["area_um2"].values())
    assert all(value > 0 for value in kept["cycle_fJ"].values())
    assert 0 < kept["works"] < 1
    words = kept["memories"]["weights.words"]
    assert words["reads"] == words["writes"] > 0
    assert same(kept, config, "tiny")
    assert config_of(kept) == config
    assert "integers equal" in table([kept])


def test_wrong_integers_are_found(library: Library) -> None:
    config = SMALL
    job = random_job(np.random.default_rng(6), config, out=4, columns=4, group=4)
    streams, due = tile_streams(job, config)
    _, put_out = measure_whole(verilog(config), library, Recipe(), [], streams)
    assert np.array_equal(integers_of(put_out, config), due)
    streams.words["weights"][:] ^= 1
    _, put_out = measure_whole(verilog(config), library, Recipe(), [], streams)
    assert not np.array_equal(integers_of(put_out, config), due)


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("$flatten\\array.\\pe_3.$abc$1$2", "elements"), ("array.pe_all_lanes.dot[1]", "elements"),
        ("array.digit[3]", "array's controls"), ("scaling.scaler_0.product[1]", "scalers"),
        ("$flatten\\scaling.\\requantizer_1.$x", "requantizers"), ("$abc$99$", "other"),
    ],
)  # fmt: skip
def test_components_of_instances(name: str, component: str) -> None:
    assert component_of(name) == component
