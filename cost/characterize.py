"""Characterization: many small elements synthesized on one library, the truth of the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cost.cells import Library
from cost.fit import config_of
from cost.recipe import Recipe
from cost.stimulus import random_work
from cost.synth import measure, record
from cost.units import Element, columns_of
from hwgen.config import HardwareConfig
from models.files import whole_file

CYCLES = 64
CLOCK = 100e6


def standard() -> list[HardwareConfig]:
    """Return the configurations: every kind over lanes, widths, digits, tables and pipelines."""
    pop = [{"lanes": lanes} for lanes in (8, 16, 24, 32, 48, 64, 96, 128)]
    pop += [{"lanes": lanes, "act_bits": bits} for lanes in (16, 48) for bits in (2, 4)]
    pop += [{"lanes": lanes, "stage_every": 1} for lanes in (16, 32, 64)]
    pop += [{"lanes": lanes, "digit": digit} for lanes in (8, 16, 24) for digit in (2, 4, 8)]
    add = [{"lanes": lanes} for lanes in (4, 8, 12, 16, 24, 32)]
    add += [{"lanes": 16, "act_bits": bits} for bits in (2, 3, 4, 6)]
    add += [{"lanes": lanes, "digit": digit} for lanes in (8, 16, 24) for digit in (2, 4)]
    add += [{"lanes": lanes, "stage_every": 1} for lanes in (8, 16)]
    add += [{"lanes": lanes, "ternary": False, "k": 1} for lanes in (8, 16, 24)]
    lut = [{"lanes": lanes} for lanes in (8, 12, 16, 24)]
    lut += [{"lanes": lanes, "table": 3} for lanes in (6, 12, 18)]
    lut += [{"lanes": 16, "act_bits": bits} for bits in (2, 4)]
    kinds = [({"k": 1}, pop), ({"kind": "addsub"}, add), ({"kind": "lut"}, lut)]
    every: list[dict[str, Any]] = [{**kind, **one} for kind, ones in kinds for one in ones]
    single = {"act_bits": 1, "act_signed": False, "lanes": 16}
    every += [{"k": 1, **single}, {"kind": "addsub", **single}]
    return [HardwareConfig(pe=1, **one) for one in every]


def characterize(
    library: Library,
    dont_use: list[str],
    path: Path,
    progress: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """Measure the standard configurations that a file does not have yet; keep each in it."""
    kept: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    for config in standard():
        unit = Element(config)
        known = any(one["library"] == library.name and config_of(one) == config for one in kept)
        if not known:
            work = random_work(64, columns_of(unit, CYCLES), unit.weights, unit.codes, seed=1)
            figures = measure(unit, library, Recipe(period=1 / CLOCK), work, dont_use)
            kept.append(record(unit, library, Recipe(), work, figures, CLOCK))
            with whole_file(path) as part:
                part.write_text(json.dumps(kept, indent=1) + "\n")
        progress()
    return kept
