"""Stages with arbitrary numbers, for tests that look at shapes and not at results."""

from typing import Any

import numpy as np

from models.codes import Activation
from models.planes import pack
from models.stage import Stage


def stage_of(out: int, columns: int, group: int, k: int = 2, **changes: Any) -> Stage:
    """Make a stage of ``k`` planes, each a term, with 8-bit activations; or with other fields."""
    rng = np.random.default_rng(out)
    groups = -(-columns // group)
    terms = len(changes.get("monomials", range(k)))
    shape = (changes.get("views", 1), out, groups, terms)
    fields = {
        "planes": pack(rng.random((k, out, columns)) < 0.5),
        "columns": columns,
        "group": group,
        "coefficients": rng.integers(-99, 100, shape).astype(np.int16),
        "monomials": tuple(1 << plane for plane in range(k)),
        "activation": Activation(),
    }
    return Stage(**(fields | changes))
