"""Integer biases as offsets: a stage with a bias becomes one with groups more, of codes of 1."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models import planes
from models.checks import require
from models.stage import Stage


def folded(stage: Stage, offset_bits: int) -> Stage:
    """Return a stage without bias that gives the same accumulators for :func:`folded_codes`.

    The last group is filled up with columns whose bits are 0. Then come as many groups as the bias
    needs, and one of a single column: their bits are 0, their codes 1, and their offsets times
    their columns sum to the bias.

    Parameters
    ----------
    offset_bits : int
        Bits of an offset, up to 16.

    Raises
    ------
    ValueError
        The columns of a group are more than an offset can count.
    """
    if stage.bias is None:
        return stage
    top = (1 << (offset_bits - 1)) - 1
    rule = f"be at most {top} beside an integer bias"
    require(stage.group <= top, "group of the layer", rule, stage.group)
    count = _whole_groups(stage.bias, stage.group, offset_bits)
    groups, wide = stage.groups + count + 1, stage.group * (stage.groups + count) + 1
    bits = np.zeros((stage.k, stage.out, wide), np.uint8)
    bits[..., : stage.columns] = planes.unpack(stage.planes, stage.columns)
    more = (0, groups - stage.groups)
    offset = np.zeros((stage.views, stage.out, groups), np.int16)
    if stage.offset is not None:
        offset[..., : stage.groups] = stage.offset
    high, low = np.divmod(stage.bias, stage.group)
    for number in range(count):
        offset[0, :, stage.groups + number] = (high + number) // count
    offset[0, :, -1] = low if count else stage.bias
    table, index = stage.coefficients, stage.index
    if index is None:
        shape = (stage.views, stage.out, stage.groups, table.shape[-1])
        table = np.pad(np.broadcast_to(table, shape), [(0, 0), (0, 0), more, (0, 0)])
    else:
        spread = np.broadcast_to(index, (stage.out, stage.groups)).astype(np.uint16)
        index = np.pad(spread, [(0, 0), more], constant_values=len(table))
        table = np.pad(table, [(0, 1), (0, 0)])
    return replace(
        stage, planes=planes.pack(bits), columns=wide, coefficients=table, offset=offset,
        index=index, bias=None,
    )  # fmt: skip


def folded_codes(codes: NDArray[np.integer], stage: Stage, offset_bits: int) -> NDArray[np.integer]:
    """Return the codes, (tokens, ..., columns), that meet :func:`folded` of a stage."""
    if stage.bias is None:
        return codes
    count = _whole_groups(stage.bias, stage.group, offset_bits)
    rest = [(0, 0)] * (codes.ndim - 1)
    filled = np.pad(codes, [*rest, (0, stage.groups * stage.group - stage.columns)])
    return np.pad(filled, [*rest, (0, count * stage.group + 1)], constant_values=1)


def _whole_groups(bias: NDArray[np.int64], group: int, offset_bits: int) -> int:
    """Return how many groups a bias needs besides the single column; 0 if that is enough."""
    top = (1 << (offset_bits - 1)) - 1
    most = max(int(bias.max()), -int(bias.min()))
    return 0 if most <= top else -(-(most // group + 1) // top)
