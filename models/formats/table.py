"""One table of coefficient sets for all groups of a matrix.

Entries, the entry of each group and its planes are improved in turn. Each of the three steps is
least squares on the weights themselves, not on coefficients, so none increases the error.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.formats.fit import Normal, SortedGroups, normal_equations
from models.formats.groups import PART

SEEDING_ROUNDS = 8
CLUSTER_STEPS = 10
"""With the planes of the groups' own fits: cheap, and 1 % less error at k = 4."""
REFINE_STEPS = 6
CANDIDATES = 8
"""Entries whose planes are tried for a group: those best for the planes it has."""


def shared_table(
    parts: Sequence[SortedGroups], combos: Tensor, coefficients: Tensor, entries: int
) -> tuple[Tensor, Tensor]:
    """Fit a table to groups whose own best coefficients are known.

    Parameters
    ----------
    parts : sequence of SortedGroups, n groups in all
    combos : float64, (2**k, k)
    coefficients : float64, (n, k)
    entries : int
        The table has fewer if there are fewer groups.

    Returns
    -------
    table : float64, (entries, k)
    index : int64, (n,)
    """
    coefficients = coefficients.sort(dim=1).values  # planes have no order; like sets, like entries
    sizes = [len(part.sizes) for part in parts]
    own = _join([
        normal_equations(part, combos, mine)
        for part, mine in zip(parts, coefficients.split(sizes), strict=True)
    ])
    energy = torch.cat([part.energy for part in parts])
    table = _seed(coefficients, own, energy, min(entries, len(coefficients)))
    for _ in range(CLUSTER_STEPS):
        index = _cheapest(own, table, 1)[:, 0]
        table = _update(table, index, own)
    index = _cheapest(own, table, 1)
    for _ in range(REFINE_STEPS):
        tried = torch.cat([index, _cheapest(own, table, CANDIDATES)], 1)
        found = [
            _best_entry(part, combos, table, mine)
            for part, mine in zip(parts, tried.split(sizes), strict=True)
        ]
        index = torch.cat([chosen for chosen, _ in found])
        table = _update(table, index[:, 0], _join([normal for _, normal in found]))
    return table, index[:, 0]


def _seed(coefficients: Tensor, own: Normal, energy: Tensor, entries: int) -> Tensor:
    """Draw groups' own coefficients, more likely where the error so far is large."""
    random = torch.Generator().manual_seed(0)
    step = -(-entries // SEEDING_ROUNDS)
    table = coefficients[torch.randperm(len(coefficients), generator=random)[:step]]
    while len(table) < entries:
        chosen = table[_cheapest(own, table, 1)[:, 0]]
        total = own.error(chosen, energy).clamp(min=0).cumsum(0)
        draws = torch.rand(min(step, entries - len(table)), generator=random, dtype=torch.float64)
        drawn = torch.searchsorted(total, draws * total[-1]).clamp(max=len(total) - 1)
        table = torch.cat([table, coefficients[drawn]])
    return table


def _cheapest(own: Normal, table: Tensor, count: int) -> Tensor:
    """Entries with the least error for the planes that each group has, best first; (n, count)."""
    entry = torch.cat([(table[:, :, None] * table[:, None, :]).flatten(1), -2 * table], 1).T
    group = torch.cat([own.gram.flatten(1), own.moment], 1)
    return torch.cat([
        (part @ entry).topk(min(count, len(table)), dim=1, largest=False).indices
        for part in group.split(max(1, PART // len(table)))
    ])


def _best_entry(
    groups: SortedGroups, combos: Tensor, table: Tensor, tried: Tensor
) -> tuple[Tensor, Normal]:
    """Try entries, (n, tries), each with the planes best for it; return the best, (n, 1)."""
    best = tried[:, :1]
    normal = normal_equations(groups, combos, table[best[:, 0]])
    least = normal.error(table[best[:, 0]], groups.energy)
    for column in tried.T[1:]:
        other = normal_equations(groups, combos, table[column])
        error = other.error(table[column], groups.energy)
        better = error < least
        least = torch.where(better, error, least)
        best = torch.where(better[:, None], column[:, None], best)
        normal = Normal(
            torch.where(better[:, None, None], other.gram, normal.gram),
            torch.where(better[:, None], other.moment, normal.moment),
        )
    return best, normal


def _update(table: Tensor, index: Tensor, normal: Normal) -> Tensor:
    """Move each entry to the least squares of all groups that use it; unused ones stay."""
    gram = torch.zeros(len(table), *normal.gram.shape[1:], dtype=torch.float64)
    moment = torch.zeros_like(table)
    gram.index_add_(0, index, normal.gram)
    moment.index_add_(0, index, normal.moment)
    return Normal(gram, moment).solve(table)


def _join(normals: Sequence[Normal]) -> Normal:
    """Put the equations of several parts behind each other."""
    return Normal(
        torch.cat([normal.gram for normal in normals]),
        torch.cat([normal.moment for normal in normals]),
    )
