"""Sums of planes fitted to groups of weights: nearest levels and least squares in turn.

``k`` planes and ``k`` coefficients give a weight one of ``2**k`` levels. For given coefficients the
best planes pick the nearest level, so the levels cut a group's sorted weights into runs; lengths
and sums of the runs are all that least squares needs to improve the coefficients. So weights are
sorted once, and a step then costs ``2**k`` operations per group rather than per weight.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.formats.groups import group_sizes, in_groups, row_parts

PULL = 1e-6
"""Weight of staying put, beside 1 per weight: decides only what no weight depends on."""


@dataclass(frozen=True)
class SortedGroups:
    """The weights of n groups in ascending order.

    Attributes
    ----------
    values : float32, (n, group)
        Infinity past the size of a short group.
    running : float64, (n, group + 1)
        Sum of the values before each.
    sizes : int64, (n,)
    energy : float64, (n,)
        Sum of the squared values.
    """

    values: Tensor
    running: Tensor
    sizes: Tensor
    energy: Tensor


@dataclass(frozen=True)
class Normal:
    """Normal equations of least squares for given planes: ``gram @ coefficients = moment``.

    ``gram`` is float64, (n, k, k), ``moment`` (n, k).
    """

    gram: Tensor
    moment: Tensor

    def residual(self, coefficients: Tensor) -> Tensor:
        """Half the descent direction of the squared error; (n, k)."""
        return self.moment - (self.gram @ coefficients[..., None])[..., 0]

    def error(self, coefficients: Tensor, energy: Tensor) -> Tensor:
        """Squared error of each group; float64, (n,)."""
        return energy - (coefficients * (self.moment + self.residual(coefficients))).sum(-1)

    def solve(self, coefficients: Tensor) -> Tensor:
        """Move to the least squares; along directions without effect, stay; (n, k)."""
        weights = self.gram.diagonal(dim1=1, dim2=2).amax(1).clamp(min=1.0)
        stay = PULL * torch.diag_embed(weights[:, None].expand_as(coefficients))
        return coefficients + torch.linalg.solve(self.gram + stay, self.residual(coefficients))


def combinations(k: int, zero: float) -> Tensor:
    """List what k planes can be in one weight, bits as ``zero`` or 1; float64, (2**k, k)."""
    bits = torch.arange(1 << k)[:, None] >> torch.arange(k) & 1
    return torch.where(bits == 1, 1.0, zero).double()


def sort_groups(weight: Tensor, group: int, levels: int) -> Iterable[SortedGroups]:
    """Sort the groups of a (rows, columns) matrix, a few rows at a time.

    ``levels`` is how many numbers per group later steps will need.
    """
    rows, columns = weight.shape
    sizes = group_sizes(columns, group)
    for part in row_parts(rows, len(sizes) * max(group, 4 * levels)):
        values = in_groups(weight[part], group, torch.inf).flatten(0, 1).sort(dim=1).values
        known = torch.where(values.isinf(), 0.0, values).double()
        yield SortedGroups(
            values,
            pad(known.cumsum(1), (1, 0)),
            sizes.repeat(len(values) // len(sizes)),
            known.square().sum(1),
        )


def normal_equations(groups: SortedGroups, combos: Tensor, coefficients: Tensor) -> Normal:
    """Give every weight its nearest level, the lower one if two are as near.

    Parameters
    ----------
    combos : float64, (2**k, k)
    coefficients : float64, (n, k)
    """
    k = combos.shape[1]
    order, bounds = _levels(combos, coefficients)
    inner = torch.searchsorted(groups.values, bounds, right=True)
    ends = torch.cat([torch.zeros_like(inner[:, :1]), inner, groups.sizes[:, None]], 1)
    empty = torch.empty_like(order, dtype=torch.float64)
    counts = empty.scatter(1, order, ends.diff(dim=1).double())
    sums = empty.scatter(1, order, groups.running.gather(1, ends).diff(dim=1))
    products = (combos[:, :, None] * combos[:, None, :]).flatten(1)
    return Normal((counts @ products).unflatten(1, (k, k)), sums @ combos)


def refine(
    groups: SortedGroups, combos: Tensor, coefficients: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Take steps of nearest levels and least squares; no group's error increases.

    Returns
    -------
    coefficients : float64, (n, k)
    error : float64, (n,)
    """
    for _ in range(steps):
        coefficients = normal_equations(groups, combos, coefficients).solve(coefficients)
    normal = normal_equations(groups, combos, coefficients)
    return coefficients, normal.error(coefficients, groups.energy)


def best_fit(groups: SortedGroups, combos: Tensor, starts: Iterable[Tensor]) -> Tensor:
    """Refine every start, then each group's best one further; float64, (n, k)."""
    shape = (len(groups.sizes), combos.shape[1])
    best = torch.zeros(shape, dtype=torch.float64)
    least = torch.full(shape[:1], torch.inf, dtype=torch.float64)
    for start in starts:
        found, error = refine(groups, combos, start, steps=8)
        better = error < least
        best = torch.where(better[:, None], found, best)
        least = torch.where(better, error, least)
    return refine(groups, combos, best, steps=8)[0]


def nearest_bits(weight: Tensor, group: int, combos: Tensor, coefficients: Tensor) -> Tensor:
    """Planes of the nearest levels.

    Parameters
    ----------
    weight : float32, (rows, columns)
    coefficients : float64, (rows * groups, k)

    Returns
    -------
    bool, (k, rows, columns)
    """
    rows, columns = weight.shape
    k = combos.shape[1]
    bits = torch.empty((k, rows, columns), dtype=torch.bool)
    groups = len(coefficients) // rows
    for part in row_parts(rows, groups * max(group, 1 << k)):
        mine = coefficients[part.start * groups : part.stop * groups]
        order, bounds = _levels(combos, mine)
        values = in_groups(weight[part], group).flatten(0, 1)
        code = order.gather(1, torch.searchsorted(bounds, values))
        code = code.view(-1, groups * group)[:, :columns]
        for plane in range(k):
            bits[plane, part] = (code >> plane & 1).bool()
    return bits


def _levels(combos: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Sort the levels.

    Returns
    -------
    order : int64, (n, 2**k)
        The combination of each level, ascending.
    bounds : float32, (n, 2**k - 1)
        Where the next level begins to be nearer.
    """
    levels, order = (coefficients @ combos.T).sort(dim=1, stable=True)
    return order, ((levels[:, 1:] + levels[:, :-1]) / 2).float()
