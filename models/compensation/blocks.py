"""Choosing a matrix block by block, each block's error made up for by those to the right."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.compensation.hessian import inverse_factor


def feed_back_blocks(
    target: Tensor,
    hessian: Tensor,
    block: int,
    choose: Callable[[Tensor], Tensor],
    exact: bool = True,
) -> None:
    """Call ``choose`` with each block of columns in turn, left to right.

    With ``U`` the upper Cholesky factor of the inverse Hessian, the columns to the right of a
    block ``b`` with error ``E`` move by ``-E U[b, b]^-1 U[b, right]``: nothing else makes up for
    that error as well. If not ``exact``, ``U[b, b]`` is taken for its diagonal, as the codes of
    GPTQ's successors do that choose whole blocks; that is right for blocks of one column.

    Parameters
    ----------
    target : float64, (rows, columns)
    hessian : float32, (columns, columns)
        Positive definite.
    block : int
        Columns of a block; the last one may have fewer.
    choose : callable
        From the block wanted, (rows, n), to the values taken for it, alike.
    """
    upper = inverse_factor(hessian)
    left = target.clone()
    for start in range(0, target.shape[1], block):
        part, right = slice(start, start + block), slice(start + block, None)
        error = left[:, part] - choose(left[:, part])
        own = upper[part, part]
        if exact:
            error = torch.linalg.solve_triangular(own, error, upper=True, left=False)
        else:
            error = error / own.diagonal()
        left[:, right] -= error @ upper[part, right]
