"""What the benches ran: each layer that equalled the reference, and what is special about it.

A bench notes a layer once every integer of it was compared and equal. Notes are lines of JSON in
the file that ``VARIABLE`` names, a value or a list of values for each axis; without it nobody asks.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.config import BUSES, KINDS, MAPPINGS, HardwareConfig
from hwgen.registers import ERRORS
from models.codes import Activation
from models.integers import code_range
from models.planes import unpack
from sim.jobs import Job

VARIABLE = "PLANESMITH_PASSED"
"""Environment variable that names the file; the simulator's process has it too."""

RANDOM = "random"
"""Format of a layer that is no format's: :mod:`sim.cases` made it."""

ENDS = ("lowest", "highest", "zero", "mixed")

AXES: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "weights": ("bits", "ternary"),
    "digit": ("one bit", "several bits", "all bits"),
    "mapping": MAPPINGS,
    "bus": BUSES,
    "tree": ("combinational", "registers"),
    "scalers": ("of words", "of groups"),
    "activations": ("unsigned", "signed"),
    "flow": ("no pause", "idle", "stall", "idle and stall"),
    "reset": ("before", "in the middle"),
    "codes": ENDS,
    "coefficients": ENDS,
    "planes": ("ones", "zeros", "some planes ones", "mixed"),
    "rounding": ("within", "tie", "saturated low", "saturated high"),
    "rows": ("one", "fewer than the array's", "whole tiles", "tiles and a part"),
    "columns": ("one", "part of a word", "whole words", "words and a part"),
    "feature": (
        "several terms", "several views", "several groups", "several vectors", "offset", "mix",
        "bias", "exponents", "requantized", "linked",
    ),
    "error": tuple(ERRORS),
}  # fmt: skip
"""Values of each axis; ``format`` is another, of the names in :mod:`sim.formats`."""

Note = dict[str, str | list[str]]


def passed(
    config: HardwareConfig,
    job: Job,
    idle: float,
    stall: float,
    *,
    format: str = RANDOM,
    interrupted: bool = False,
) -> None:
    """Note a layer that equalled the reference.

    Parameters
    ----------
    idle, stall : float
        Probabilities of pauses of its sources and of its sink.
    format : str
        Name in :data:`sim.formats.LAYERS`.
    interrupted : bool
        The reset before it came in the middle of other layers.
    """
    if VARIABLE in os.environ:
        flow = AXES["flow"][(idle > 0) + 2 * (stall > 0)]
        reset = AXES["reset"][interrupted]
        run: Note = {"format": format, "flow": flow, "reset": reset}
        _append(of_circuit(config) | of_layer(job, config) | run)


def flagged(error: str) -> None:
    """Note an error flag that the bus raised, as it must, for what a master did."""
    if VARIABLE in os.environ:
        _append({"error": error})


def read_notes(file: Path) -> Counter[str]:
    """Return the notes of a file, as they stand there, and how often each does."""
    return Counter(file.read_text().splitlines()) if file.is_file() else Counter()


def _append(note: Note) -> None:
    with Path(os.environ[VARIABLE]).open("a") as file:
        file.write(json.dumps(note) + "\n")


def of_circuit(config: HardwareConfig) -> Note:
    """Return where a circuit lies on each axis."""
    digit = 2 if config.digits == 1 else int(config.digit > 1)
    return {
        "kind": config.kind,
        "weights": AXES["weights"][config.signed_weights],
        "digit": AXES["digit"][digit],
        "mapping": config.mapping,
        "bus": config.bus,
        "tree": AXES["tree"][config.stage_every > 0],
        "scalers": AXES["scalers"][config.gathers],
        "activations": AXES["activations"][config.act_signed],
    }


def of_layer(job: Job, config: HardwareConfig) -> Note:
    """Return where a layer with its input vectors lies on each axis."""
    stage, lanes = job.stage, config.lanes
    top = 1 << (config.coef_bits - 1)
    tiles = ("tiles and a part", "whole tiles")[stage.out % config.pe == 0]
    words = ("words and a part", "whole words")[stage.columns % lanes == 0]
    wide = "part of a word" if stage.columns < lanes else words
    tall = "fewer than the array's" if stage.out < config.pe else tiles
    return {
        "codes": _end(job.codes, *code_limits(job)),
        "coefficients": _end(stage.coefficients, -top, top - 1),
        "planes": _planes(unpack(stage.planes, stage.columns)),
        "rounding": _rounding(job),
        "rows": "one" if stage.out == 1 else tall,
        "columns": "one" if stage.columns == 1 else wide,
        "feature": _features(job),
    }


def code_limits(job: Job) -> tuple[int, int]:
    """Return the smallest and largest code that can meet a job's planes."""
    codes = job.stage.codes
    if isinstance(codes, Activation):
        return code_range(codes.bits, codes.signed)
    return code_range(codes.bits if codes else job.chain_bits, signed=True)


def _end(values: NDArray[np.integer], low: int, high: int) -> str:
    """Name the value that all of an array have, if it is an extreme or 0."""
    if values.min() != values.max():
        return "mixed"
    names = {high: "highest", low: "lowest", 0: "zero"}  # the lowest unsigned code is 0
    return names.get(int(values.flat[0]), "mixed")


def _planes(bits: NDArray[np.uint8]) -> str:
    means = bits.reshape(len(bits), -1).mean(axis=1)
    if (means == means[0]).all() and means[0] in (0.0, 1.0):
        return "ones" if means[0] else "zeros"
    return "some planes ones" if all(mean in (0.0, 1.0) for mean in means) else "mixed"


def _rounding(job: Job) -> list[str]:
    """Name what the requantizer did to some result."""
    spec = job.stage.requantize
    if spec is None:
        return []
    exact = job.accumulators().astype(object)[:, None, :] * spec.row_scale.astype(object)
    low, high = code_range(spec.bits, signed=True)
    half = (1 << spec.shift) >> 1
    rounded = (exact + half) >> spec.shift
    found = {
        "within": (rounded >= low) & (rounded <= high),
        "tie": (half > 0) & ((exact & ((1 << spec.shift) - 1)) == half),
        "saturated low": rounded < low,
        "saturated high": rounded > high,
    }
    return [name for name in AXES["rounding"] if found[name].any()]


def _features(job: Job) -> list[str]:
    stage = job.stage
    has: Iterable[object] = (
        stage.terms > 1, stage.views > 1, stage.groups > 1, len(job.codes) > 1,
        stage.offset is not None, stage.mix is not None, stage.bias is not None,
        job.exponents is not None, stage.requantize is not None, job.link is not None,
    )  # fmt: skip
    return [name for name, there in zip(AXES["feature"], has, strict=True) if there]
