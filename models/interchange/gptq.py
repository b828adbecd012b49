"""Import GPTQ checkpoints: integers packed in int32, with a scale and a zero point of each group.

``qweight``, (in * bits / 32, out), holds down its columns, and ``qzeros``, (groups, out * bits /
32), along its rows, the bits of one integer after those of the other, lowest first. A weight is
``scales[g] * (n - zero[g])``; ``g_idx`` has the group of each input. Zero points are stored minus 1
in the format ``gptq``, and as they are in ``gptq_v2``.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checks import require
from models.interchange.blocks import places
from models.interchange.grid import Grid
from models.interchange.source import Source
from models.interchange.weights import Weights

FORMATS = ("gptq", "gptq_v2")
BITS = (2, 3, 4, 8)
WORD = 32
ROWS = 256
"""Rows that are unpacked at once: a byte for every bit."""


def open_gptq(weights: Weights, settings: dict[str, Any]) -> Source:
    """Open a GPTQ checkpoint.

    Parameters
    ----------
    settings : dict
        The ``quantization_config`` of the model's configuration, or ``quantize_config.json``.

    Raises
    ------
    ValueError
        The format or the number of bits is another, or there is no packed layer.
    """
    kind = settings.get("checkpoint_format") or FORMATS[0]
    require(kind in FORMATS, "checkpoint_format", f"be {' or '.join(FORMATS)}", kind)
    for name in ("bits", "group_size"):
        value = settings.get(name)
        whole = isinstance(value, int) and (value > 0 or value == -1)
        require(whole, f"{name} of GPTQ", "be a positive number, or -1", value)
    names = weights.layers("qweight")
    require(len(names) > 0, str(weights.folder), "hold packed layers with a qweight", "none")
    grids = {name: partial(_read, weights, name, settings) for name in names}
    return Source(f"GPTQ {settings['bits']}-bit", grids, weights.left_out(names))


def _read(weights: Weights, name: str, settings: dict[str, Any]) -> Grid:
    """Read a layer.

    Its own ``g_idx`` comes before the model's number of bits and group size, as layers may differ.
    Some programs store the zero points of symmetric layers as they are under the name ``gptq``.
    """
    words, packed = (_matrix(weights, f"{name}.{part}", "int32") for part in ("qweight", "qzeros"))
    scale = np.ascontiguousarray(_matrix(weights, f"{name}.scales", "reals").T)
    out, groups = scale.shape
    bits, group, index = settings["bits"], settings["group_size"], None
    if f"{name}.g_idx" in weights:
        index = weights.array(f"{name}.g_idx")
        bits, group = words.shape[0] * WORD // index.size, int((index == index.min()).sum())
    require(bits in BITS, f"bits of {name}", f"be one of {', '.join(map(str, BITS))}", bits)
    columns = words.shape[0] * WORD // bits
    group = columns if group == -1 else group
    want = -(-columns // group)
    require(groups == want, f"{name}.scales", f"have {want} groups of {group} inputs", groups)
    require(words.shape[1] == out, f"{name}.qweight", f"have {out} columns", words.shape[1])
    stored = _unpack(packed, bits)
    require(stored.shape == (groups, out), f"{name}.qzeros", f"hold {(groups, out)}", stored.shape)
    middle = 1 << (bits - 1)
    plain = bool(settings.get("sym")) and bool((stored == middle).all())
    less = settings.get("checkpoint_format") != FORMATS[1] and not plain
    zero = stored.T.astype(np.float64) + less
    codes = _unpack(words.T, bits)
    order = None if index is None else _order(name, index, group)
    codes = codes if order is None else codes[:, order]
    minimum = None if (zero == middle).all() else (middle - zero) * scale
    grid = Grid(codes ^ np.uint8(middle), places(bits, True), group, scale, minimum)
    return replace(grid, gather=order, bias=weights.bias(name))


def _matrix(weights: Weights, name: str, kind: str) -> NDArray[Any]:
    """Read a matrix of int32 or of reals, which become float64."""
    found = weights.array(name)
    fits = found.dtype == ("float64" if kind == "reals" else kind) and found.ndim == 2
    require(fits, name, f"be a matrix of {kind}", f"{found.dtype} {found.shape}")
    return found


def _order(name: str, index: NDArray[np.int32], group: int) -> NDArray[np.int32] | None:
    """Return the order that brings the inputs of each group together; None if they are."""
    order = np.argsort(index, kind="stable").astype(np.int32)
    numbers = np.arange(index.size)
    even = bool((index[order] == numbers // group).all())
    sizes = np.unique(index, return_counts=True)[1].tolist()
    got = f"groups of {min(sizes)} to {max(sizes)}"
    require(even, f"{name}.g_idx", f"number groups of {group} inputs from 0", got)
    return None if (order == numbers).all() else order


def _unpack(words: NDArray[np.int32], bits: int) -> NDArray[np.uint8]:
    """Read integers from rows of words; int32 (rows, n) to uint8 (rows, 32 n / bits)."""
    count = words.shape[1] * WORD // bits
    codes = np.empty((len(words), count), np.uint8)
    for start in range(0, len(words), ROWS):
        part = np.ascontiguousarray(words[start : start + ROWS], "<i4").view(np.uint8)
        stream = np.unpackbits(part, axis=1, bitorder="little")[:, : count * bits]
        numbers = stream.reshape(len(part), count, bits)
        codes[start : start + ROWS] = np.packbits(numbers, axis=2, bitorder="little")[..., 0]
    return codes
