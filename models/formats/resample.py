"""Resampling of blocks of weights as matrices, and random rotations."""

import torch
from torch import Tensor


def up_fourier(block: int, samples: int) -> Tensor:
    """Band-limited resampling of a period of ``block`` values to more ``samples``.

    The spectrum is extended by zeros; of an even block, the highest frequency is shared equally
    by its positive and its negative place, unless there are no more samples.

    Returns
    -------
    float64, (samples, block)
    """
    spectrum = torch.fft.rfft(torch.eye(block, dtype=torch.float64), dim=0)
    if block % 2 == 0 and samples > block:
        spectrum[-1] /= 2
    return torch.fft.irfft(spectrum, n=samples, dim=0) * (samples / block)


def down_fourier(block: int, samples: int) -> Tensor:
    """Band-limited resampling back; undoes :func:`up_fourier`.

    Frequencies that ``block`` values cannot have are dropped; of an even block, the highest one
    is the sum of its positive and its negative place.

    Returns
    -------
    float64, (block, samples)
    """
    spectrum = torch.fft.rfft(torch.eye(samples, dtype=torch.float64), dim=0)[: block // 2 + 1]
    if block % 2 == 0 and samples > block:
        spectrum[-1] *= 2
    return torch.fft.irfft(spectrum, n=block, dim=0) * (block / samples)


def down_repeat(block: int, samples: int) -> Tensor:
    """Add up the samples of each value, sample ``j`` being of value ``j * block // samples``.

    Returns
    -------
    float64, (block, samples)
        Every sample counts ``block / samples``.
    """
    where = torch.arange(samples) * block // samples
    hits = torch.nn.functional.one_hot(where, block).double()
    return hits.T * (block / samples)


def up_repeat(block: int, samples: int) -> Tensor:
    """Hold each value for its samples; undone by :func:`down_repeat`.

    Where a value has more or fewer samples than others, these are smaller or larger than it.

    Returns
    -------
    float64, (samples, block)
    """
    down = down_repeat(block, samples)
    return (down > 0).double().T / down.sum(1)


def rotation(block: int, seed: int) -> Tensor:
    """Return an orthogonal Hadamard matrix after random signs; float64, (block, block).

    Row ``i`` is row ``i`` of the Sylvester matrix, over ``sqrt(block)``, times a random sign.
    """
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < block:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    signs = torch.randint(2, (block, 1), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return signs * matrix / block**0.5
