"""Rounding column by column, each column's error made up for by those still to come (GPTQ).

Frantar et al., "GPTQ", arXiv 2210.17323: with ``U`` the upper Cholesky factor of the inverse
Hessian, columns in order of falling ``H_jj``, and groups whose levels are fixed beforehand.
"""

import torch
from torch import Tensor

from models.compensation.hessian import inverse_factor
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
    place = {int(column): (part, index) for part in parts
             for index, column in enumerate(part.inputs.tolist())}  # fmt: skip
    levels = [[part.levels(g) for g in range(len(part.spans))] for part in parts]
    known = {id(part): mine for part, mine in zip(parts, levels, strict=True)}
    for start in range(0, len(order), BLOCK):
        stop = min(start + BLOCK, len(order))
        errors = torch.zeros(len(target), stop - start)
        block = left[:, start:stop]
        for i in range(start, stop):
            part, index = place[int(order[i])]
            column = slice(index, index + 1)
            mine = known[id(part)][index // part.group]
            wanted = block[:, i - start : i - start + 1]
            codes, values = part.nearest(mine, column, wanted)
            part.codes[:, column] = codes
            error = (wanted - values) / upper[i, i]
            block -= error * upper[i, start:stop]
            errors[:, i - start : i - start + 1] = error
        left[:, stop:] -= errors @ upper[start:stop, stop:]
