"""First-order sigma-delta modulation of many signals at once, and the search of its scales."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

NEGLIGIBLE = 1e-9
"""What is left of a constant signal, or of zeros, is rounding."""
SEARCHED = 256
"""Signals that the search looks at."""


@dataclass(frozen=True)
class Scales:
    """How a modulator's scale and threshold follow from the magnitudes of a signal.

    The scale is ``factor`` times the quantile ``peak``, the threshold the quantile ``cut`` of the
    magnitudes over the scale. The defaults are those of SDQ-LLM's code.
    """

    factor: float = 0.9
    peak: float = 0.9
    cut: float = 0.5


FACTORS = tuple(0.75 + 0.05 * step for step in range(6))
PEAKS = tuple(0.75 + 0.025 * step for step in range(10))
CUTS = tuple(0.35 + 0.05 * step for step in range(6))
"""The grid of the search."""


@dataclass(frozen=True)
class Streams:
    """Modulated signals: ``mean + scale * samples``.

    Attributes
    ----------
    samples : int8 in {-1, 0, 1}, (samples, n)
        All zeros where the scale is zero, as it is for a constant signal.
    scale, mean : float64, (n,)
    """

    samples: Tensor
    scale: Tensor
    mean: Tensor

    def values(self) -> Tensor:
        """Return what the streams stand for; float64, (samples, n)."""
        return self.mean + self.scale * self.samples


def modulate(signals: Tensor, ternary: bool, scales: Scales) -> Streams:
    """Modulate signals about their means.

    Parameters
    ----------
    signals : float64, (samples, n)
        The modulator starts from zero in each.
    """
    mean = signals.mean(0)
    rest = signals - mean
    largest = rest.abs().amax(0)
    largest = torch.where(largest > NEGLIGIBLE * mean.abs(), largest, 0.0)
    scale = scales.factor * rest.abs().quantile(scales.peak, dim=0)
    scale = torch.where(scale > NEGLIGIBLE * largest, scale, scales.factor * largest)
    scale = torch.where(largest > 0, scale, 0.0)
    rest = rest / torch.where(scale > 0, scale, 1.0)
    cut = rest.abs().quantile(scales.cut, dim=0) if ternary else None
    return Streams(first_order(rest, cut) * (scale > 0), scale, mean)


def first_order(signals: Tensor, cut: Tensor | None) -> Tensor:
    """Sum up what outputs have missed so far, and put out its sign.

    Parameters
    ----------
    signals : float64, (samples, n)
    cut : float64, (n,), or None
        From this sum on, an output is 1, from its negative on, -1, between them 0. Without it,
        an output is 1 for a positive sum and else -1.

    Returns
    -------
    int8 in {-1, 0, 1}, (samples, n)
    """
    outputs = torch.empty(signals.shape, dtype=torch.int8)
    missed = torch.zeros_like(signals[0])
    for sample, output in zip(signals, outputs, strict=True):
        missed += sample
        if cut is None:
            output.copy_(2 * (missed > 0).to(torch.int8) - 1)
        else:
            up = missed >= cut
            output.copy_(up.to(torch.int8) - (~up & (missed <= -cut)).to(torch.int8))
        missed -= output
    return outputs


def best_scales(signals: Tensor, ternary: bool, down: Tensor) -> Scales:
    """Return the scales of the grid that lose least of some of the signals.

    Parameters
    ----------
    signals : float64, (samples, n)
    down : float64, (block, samples)
        Makes weights of samples.
    """
    some = signals[:, :: -(-signals.shape[1] // SEARCHED)]
    rest = some - some.mean(0)
    sizes = rest.abs()
    peaks, cuts = (sizes.quantile(torch.tensor(part).to(rest), dim=0) for part in (PEAKS, CUTS))
    cuts = cuts if ternary else cuts[:1]
    least, best = float("inf"), Scales()
    for factor, (peak, size) in product(FACTORS, zip(PEAKS, peaks, strict=True)):
        scale = torch.where(size > 0, factor * size, 1.0)
        tries = (rest / scale).repeat(1, len(cuts))
        outputs = first_order(tries, (cuts / scale).flatten() if ternary else None)
        lost = (down @ (outputs - tries)).unflatten(1, (len(cuts), -1)) * scale
        errors = lost.square().sum((0, 2))
        if float(errors.amin()) < least:
            least, best = float(errors.amin()), Scales(factor, peak, CUTS[int(errors.argmin())])
    return best
