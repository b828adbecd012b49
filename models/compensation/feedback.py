"""Rounding column by column, each column's error made up for by those still to come (GPTQ).

Frantar et al., "GPTQ", arXiv 2210.17323: with ``U`` the upper Cholesky factor of the inverse
Hessian, columns in order of falling ``H_jj``, and groups whose levels are fixed beforehand.
"""

from itertools import accumulate

import torch
from torch import Tensor

from models.compensation.hessian import inverse_factor
from models.compensation.kernels import feed_forward, tables_of
from models.compensation.parts import Part

BLOCK = 128
"""Columns after which later ones are brought up to date."""


def feed_back(target: Tensor, hessian: Tensor, parts: list[Part]) -> None:
    """Choose the codes of all parts.

    Parameters
    ----------
    target : float32, (rows, columns)
    hessian : float32, (columns, columns)
        Positive definite.
    """
    order = hessian.diagonal().argsort(descending=True, stable=True)
    upper = inverse_factor(hessian[order][:, order]).float()
    left = target[:, order].clone()
    place = {int(column): (number, index) for number, part in enumerate(parts)
             for index, column in enumerate(part.inputs.tolist())}  # fmt: skip
    levels = [part.levels(group) for part in parts for group in range(len(part.spans))]
    tables = tables_of(levels)
    first = [0, *accumulate(len(part.spans) for part in parts)]
    for start in range(0, len(order), BLOCK):
        stop = min(start + BLOCK, len(order))
        mine = [place[column] for column in order[start:stop].tolist()]
        group = [first[number] + index // parts[number].group for number, index in mine]
        scale = torch.stack([parts[number].column_scale[index] for number, index in mine])
        kind = torch.stack([parts[number].kind[:, index] for number, index in mine], 1)
        codes, errors = feed_forward(
            left[:, start:stop].contiguous(), upper[start:stop, start:stop].contiguous(), scale,
            kind, torch.tensor(group), tables,
        )  # fmt: skip
        for (number, index), column in zip(mine, codes.T, strict=True):
            parts[number].codes[:, index] = column
        left[:, stop:] -= errors @ upper[start:stop, stop:]
