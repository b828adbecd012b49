"""Errors of a layer's outputs, beside what it should put out."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def error(output: Tensor, want: NDArray[np.float64]) -> float:
    """Return the energy of the error over that of what is wanted; both (tokens, out)."""
    lost = float(np.square(output.double().numpy() - want).sum())
    return lost / (float(np.square(want).sum()) or 1.0)


def decibels(ratio: float) -> str:
    """Return a ratio of energies as text: -10 dB is a tenth."""
    return f"{10 * np.log10(ratio):.1f} dB" if ratio else "exact"
