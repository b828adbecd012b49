"""A layer of single stages as what a solver may change: a code for each weight, and coefficients.

A weight of such a layer is ``column_scale * (features[code] @ coefficients)``: its code is a
pattern of plane bits, and the features of a pattern say how often each coefficient of the weight's
row and group counts. This holds for every format, so none needs a solver of its own.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models import planes
from models.bitplane import Path
from models.coefficients import mixed
from models.fixed import fixed_coefficients
from models.integers import code_range, signed_bits
from models.stage import Stage


@dataclass(frozen=True)
class Levels:
    """The values that the weights of some rows can take in one group, ascending.

    Attributes
    ----------
    codes : int64, (rows, levels)
    values : float32, (rows, levels)
    bounds : float32, (rows, levels - 1)
        Where the next level begins to be nearer.
    """

    codes: Tensor
    values: Tensor
    bounds: Tensor


@dataclass
class Part:
    """One path of a layer, of one stage.

    Attributes
    ----------
    inputs : int64, (columns,)
        The column of the matrix that each column of the planes stands for.
    group : int
        Columns that share coefficients; the last group may be shorter.
    patterns : int64, (codes,)
        Plane bits of each code, least significant plane first; no two have the same features.
    features : float32, (codes, coefficients)
    coefficients : float32, (rows, groups, coefficients)
        As real numbers.
    codes : int64, (rows, columns)
    column_scale : float32, (columns,)
    kinds : bool, (kinds, codes), and kind : int64, (rows, columns)
        Which codes a weight may take: those that agree with it in the planes that are fixed.
    freedom : "group", "row" or "matrix"
        Whether coefficients are free, or only a factor of each row's, or one of all.
    """

    inputs: Tensor
    group: int
    patterns: Tensor
    features: Tensor
    coefficients: Tensor
    codes: Tensor
    column_scale: Tensor
    kinds: Tensor
    kind: Tensor
    freedom: Literal["group", "row", "matrix"]

    @property
    def spans(self) -> list[slice]:
        """Columns of each group."""
        columns = len(self.inputs)
        return [slice(start, min(start + self.group, columns))
                for start in range(0, columns, self.group)]  # fmt: skip

    def values(self, span: slice, group: int) -> Tensor:
        """Values of the weights of a group; float32, (rows, columns of the group)."""
        table = self.coefficients[:, group] @ self.features.T
        return table.gather(1, self.codes[:, span]) * self.column_scale[span]

    def matrix(self) -> Tensor:
        """Values of all weights; float32, (rows, columns)."""
        return torch.cat([self.values(span, g) for g, span in enumerate(self.spans)], 1)

    def levels(self, group: int) -> list[Levels]:
        """Levels of a group, before the column scale, for each kind of weight."""
        table = self.coefficients[:, group] @ self.features.T
        found = []
        for allowed in self.kinds:
            codes = allowed.nonzero()[:, 0]
            values, order = table[:, codes].sort(dim=1, stable=True)
            bounds = (values[:, 1:] + values[:, :-1]) / 2
            found.append(Levels(codes[order], values, bounds.contiguous()))
        return found


def part_of(path: Path, fixed: int) -> Part:
    """Read a path of one stage; ``fixed`` is a bit mask of planes whose bits stay."""
    (stage,) = path.stages
    bits = torch.from_numpy(planes.unpack(stage.planes, stage.columns))  # (k, rows, columns)
    pattern = sum((bits[plane].long() << plane for plane in range(stage.k)), torch.tensor(0))
    features, shared = _features(stage), _shared(stage)
    code_of, patterns = _distinct(features if shared is None else shared, fixed)
    kept = patterns & fixed
    names = kept.unique()
    scale = torch.from_numpy(np.broadcast_to(path.out_scale, stage.out).copy())
    stored = _stored(stage)
    groups = stored.shape[1]
    free = shared is None and stage.index is None
    return Part(
        inputs=_tensor(stage.gather, torch.arange(stage.columns)).long(),
        group=stage.columns if groups == 1 else stage.group,
        patterns=patterns,
        features=features[patterns],
        coefficients=stored.expand(stage.out, -1, -1) * scale[:, None, None],
        codes=code_of[pattern],
        column_scale=_tensor(stage.column_scale, torch.ones(1, stage.columns))[0],
        kinds=kept == names[:, None],
        kind=torch.searchsorted(names, (pattern & fixed).contiguous()),
        freedom="group" if free else "row" if len(path.out_scale) == stage.out else "matrix",
    )


def with_codes(part: Part, path: Path) -> Path:
    """Write a part's codes to the planes of its path."""
    (stage,) = path.stages
    pattern = part.patterns[part.codes]
    bits = torch.stack([(pattern >> plane & 1).bool() for plane in range(stage.k)])
    return replace(path, stages=(replace(stage, planes=planes.pack(bits.numpy())),))


def with_coefficients(part: Part, path: Path) -> Path:
    """Round a part's coefficients to what its path can store."""
    (stage,) = path.stages
    if part.freedom == "group":
        whole, unit = _rounded(part.coefficients.double().numpy(), stage)
        whole = whole[np.newaxis].astype(stage.coefficients.dtype)
        count = stage.coefficients.shape[-1]
        offset = None if stage.offset is None else np.ascontiguousarray(whole[..., count])
        coefficients = np.ascontiguousarray(whole[..., :count])
        stage = replace(stage, coefficients=coefficients, offset=offset)
        return replace(path, stages=(stage,), out_scale=unit)
    before = part_of(path, 0).coefficients
    energy = before.square().sum((1, 2))
    factor = (part.coefficients * before).sum((1, 2)) / torch.where(energy > 0, energy, 1.0)
    return replace(path, out_scale=path.out_scale * factor[: len(path.out_scale)].float().numpy())


def _rounded(values: np.ndarray, like: Stage) -> tuple[np.ndarray, np.ndarray]:
    """Round coefficients, and last offsets, to integers that need no more bits than a stage's.

    Or than a coefficient of 1 does, where a stage has none but zeros.
    """
    width = signed_bits(int(np.abs(like.coefficients.astype(np.int32)).max()))
    most = max(int(np.abs(part).max())
               for part in (like.spread_coefficients(), like.spread_offset()))  # fmt: skip
    one = 1 if like.mix is None else int(np.abs(like.mix).max())
    top = code_range(max(8, signed_bits(max(most, one))), signed=True)[1]
    count = like.coefficients.shape[-1]
    offset = None if like.offset is None else values[..., count]
    return fixed_coefficients(values[..., :count], offset, like.mix, max(8, width), top)


def _shared(stage: Stage) -> Tensor | None:
    """Values of all patterns if all rows and groups have one set of coefficients, else None.

    Returns
    -------
    float32, (2**k, 1)
        Without the offset.
    """
    if stage.index is not None or stage.coefficients.shape[:3] != (1, 1, 1):
        return None
    places = mixed(stage.coefficients[0, 0].astype(np.int32), stage.mix)[0, :-1]
    return _term_bits(stage) @ torch.from_numpy(places.astype(np.float32))[:, None]


def _term_bits(stage: Stage) -> Tensor:
    """Which terms count in a pattern; float32, (2**k, terms)."""
    patterns = torch.arange(1 << stage.k)[:, None]
    masks = torch.tensor(stage.monomials)
    return (patterns & masks == masks).float()


def _features(stage: Stage) -> Tensor:
    """How often each coefficient, and last the offset if there is one, counts in a pattern.

    Returns
    -------
    float32, (2**k, coefficients)
    """
    terms = _term_bits(stage)
    ones = torch.ones(len(terms), 1)
    if stage.mix is not None:
        terms = torch.cat([terms, ones], 1) @ torch.tensor(stage.mix, dtype=torch.float32).T
    return terms if stage.offset is None else torch.cat([terms, ones], 1)


def _distinct(features: Tensor, fixed: int) -> tuple[Tensor, Tensor]:
    """Find the patterns that differ in features or fixed planes.

    Returns
    -------
    code_of : int64, (2**k,)
        The code of each pattern.
    patterns : int64, (codes,)
        The first pattern of each code.
    """
    seen: dict[tuple[float, ...], int] = {}
    code_of, patterns = [], []
    for pattern, row in enumerate(features.tolist()):
        key = (pattern & fixed, *row)
        if key not in seen:
            seen[key] = len(patterns)
            patterns.append(pattern)
        code_of.append(seen[key])
    return torch.tensor(code_of), torch.tensor(patterns)


def _stored(stage: Stage) -> Tensor:
    """Coefficients, and last the offset if there is one; float32, (out or 1, groups or 1, n)."""
    if stage.index is not None:
        rows = np.broadcast_to(stage.index, (stage.out, stage.groups))
        own = stage.coefficients[rows]
    else:
        own = stage.coefficients[0]
    found = torch.from_numpy(own.astype(np.float32))
    if stage.offset is None:
        return found
    offset = torch.from_numpy(stage.offset[0].astype(np.float32))[..., None]
    shape = torch.broadcast_shapes(found.shape[:2], offset.shape[:2])
    return torch.cat([found.expand(*shape, -1), offset.expand(*shape, 1)], 2)


def _tensor(array: np.ndarray | None, otherwise: Tensor) -> Tensor:
    return otherwise if array is None else torch.from_numpy(np.array(array))
