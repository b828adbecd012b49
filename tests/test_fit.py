"""Circuits fitted to layers run them, and nothing smaller does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import bitnet, fdb, random_stage, single

from hwgen.config import KINDS, HardwareConfig
from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.formats import parse
from sim.engine import Engine
from sim.fit import check, fitted
from sim.jobs import Job

RNG = np.random.default_rng(1)
PLAIN = single("plain", random_stage(RNG, 9, 50, 3, 16), 50, RNG)
TERNARY = bitnet(RNG, 5, 30)
STATIC = fdb(RNG, 5, 30)
CHAIN = parse("dbf:bits=4,steps=1,rounds=0,mid_bits=10").quantize(
    RNG.standard_normal((12, 20)).astype(np.float32), "chain", Activation()
)
MONOMIALS = single("products", random_stage(RNG, 4, 30, 2, monomials=(1, 2, 3)), 30, RNG)
UNSIGNED = single(
    "unsigned", random_stage(RNG, 4, 30, activation=Activation(bits=5, signed=False)), 30, RNG
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "layers",
    [[PLAIN], [TERNARY], [STATIC], [CHAIN], [MONOMIALS], [UNSIGNED], [PLAIN, TERNARY, UNSIGNED]],
    ids=lambda layers: "+".join(layer.name for layer in layers),
)
def test_no_parameter_is_larger_than_needed(kind: str, layers: list[BitplaneLayer]) -> None:
    config = fitted(layers, {"kind": kind, "lanes": 8, "pe": 4})
    assert (config.kind, config.lanes, config.pe) == (kind, 8, 4)
    step = 2 if config.signed_weights else 1
    smaller: dict[str, Any] = {
        "k": {"k": config.k - step, "terms": 0},
        "terms": {"terms": config.terms - 1},
        "act_bits": {"act_bits": config.act_bits - 1, "digit": 0},
        "columns": {"columns": config.columns - 8},
    }
    for name, change in smaller.items():
        if getattr(config, name) > (step if name == "k" else 1):
            assert not runs(layers, replace(config, **change)), name


def runs(layers: list[BitplaneLayer], config: HardwareConfig) -> bool:
    """Whether a circuit can run layers."""
    try:
        for layer in layers:
            check(layer, config)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("layer", "kind", "wanted"),
    [
        (PLAIN, "popcount", {"k": 3, "terms": 0, "columns": 56, "requantize_bits": 0}),
        (PLAIN, "lut", {"k": 6}),
        (TERNARY, "popcount", {"k": 2, "columns": 32}),
        (TERNARY, "addsub", {"k": 2, "digit": 8}),
        (STATIC, "popcount", {"act_bits": 4}),
        (CHAIN, "popcount", {"k": 1, "act_bits": 10, "requantize_bits": 10}),
        (MONOMIALS, "popcount", {"k": 2, "terms": 3}),
        (UNSIGNED, "popcount", {"act_signed": False, "act_bits": 5}),
    ],
)
def test_what_follows_from_a_layer(layer: BitplaneLayer, kind: str, wanted: dict[str, Any]) -> None:
    config = fitted([layer], {"kind": kind, "lanes": 8})
    assert {name: getattr(config, name) for name in wanted} == wanted


def test_signed_circuit_for_unsigned_codes() -> None:
    assert fitted([UNSIGNED], {"act_signed": True}).act_bits == 6
    both = fitted([UNSIGNED, STATIC], {})
    assert (both.act_signed, both.act_bits) == (True, 6)


def test_given_parameters_stay() -> None:
    with pytest.raises(
        ValueError, match=r"^layer plain: k of the layer must be at most .*2, got 3"
    ):
        fitted([PLAIN], {"k": 2})
    with pytest.raises(ValueError, match=r"^layer chain: requantized bits .* be the circuit's 8, "):
        fitted([CHAIN], {"requantize_bits": 8})
    assert fitted([TERNARY], {"columns": 2048}).columns == 2048


def test_one_circuit_runs_layers_of_fewer_planes() -> None:
    config = HardwareConfig(k=3, pe=4, lanes=8, columns=64)
    rng = np.random.default_rng(2)
    low, high = config.code_range
    jobs = [
        Job(random_stage(rng, 9, 50, k, 16), rng.integers(low, high + 1, (2, 50)))
        for k in (1, 3, 2)
    ]
    outcome = Engine(config).run(jobs)
    for job, got in zip(jobs, outcome.results, strict=True):
        assert (got == job.expected()).all()
    assert outcome.cycles == sum(job.steps(config) for job in jobs) + config.latency
