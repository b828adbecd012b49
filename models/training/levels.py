"""The weights of a stage in training: a real number behind each code, and coefficients.

The code of a weight is that of the level nearest to its latent. The stage multiplies by a dense
matrix of levels, whose gradient goes to the latents as it is, and to the coefficients through the
features of the codes; so nothing of the rounding itself is differentiated or kept for it.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.bitplane import Path
from models.compensation.parts import Part, part_of, with_codes, with_coefficients

END = 4.0
"""Room for latents beyond the outer levels, in root mean squares of the levels."""
TINY = 1e-20
"""Room that codes have at least, against a division by zero."""


class Levels(nn.Module):
    """Latents and coefficients of a path of one stage.

    Attributes
    ----------
    latents : float32, (rows, columns)
        In the units of the levels: times the path's output scale, without column scales.
    coefficients : float32, (rows, groups, coefficients)
        Where these are free; else factors of those of the path: (rows, 1, 1) or (1, 1, 1).
    matrix : (rows, columns)
        The levels, in the type of the products. Gradients add up in ``latents.grad``.
    size : float
        Root mean square of the levels at the beginning: the unit of learning rates.
    """

    def __init__(self, path: Path, fixed: int, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        part = part_of(path, fixed)
        self.group, self.fixed, self.freedom = part.group, fixed, part.freedom
        shape = {"row": (len(part.codes), 1, 1), "matrix": (1, 1, 1)}
        scale = torch.ones(shape[part.freedom]) if part.freedom in shape else part.coefficients
        self.coefficients = nn.Parameter(scale.clone().to(device))
        self._base = part.coefficients.to(device) if part.freedom in shape else None
        self._features = part.features.to(device)
        kinds = part.kinds & _first_of_equal(part)
        self._allowed = [allowed.nonzero()[:, 0].to(device) for allowed in kinds]
        self._kind = part.kind.to(device, torch.uint8) if len(part.kinds) > 1 else None
        self._codes = part.codes.to(device, torch.uint8)
        values = self._values()
        self.size = float(values.square().mean().sqrt())
        self.latents = nn.Parameter(values.clone())
        self.matrix = values.to(dtype).requires_grad_()
        self.latents.grad = torch.zeros_like(values)
        self.matrix.register_post_accumulate_grad_hook(self._take)

    def _take(self, matrix: Tensor) -> None:
        """Add a gradient of the matrix to those of the latents, in float32."""
        assert matrix.grad is not None
        assert self.latents.grad is not None
        self.latents.grad += matrix.grad
        matrix.grad = None

    @torch.no_grad()
    def lean(self, lacking: Tensor) -> None:
        """Move latents towards other values, but never as far as another code.

        With ``d`` to go and room ``h`` up to the next code, it is ``d h / (h + d)``: a code is the
        sooner given up, the worse it suits the weight by itself, and never many at once.

        Parameters
        ----------
        lacking : float32, (rows, columns)
            By how much the levels are below those values.
        """
        values = self._table(self._all_coefficients()).sort(dim=2)[0]
        latents, wanted = self._grouped(self.latents), self._grouped(lacking)
        middle = (values[..., 1:] + values[..., :-1]) / 2
        place = torch.searchsorted(middle.contiguous(), latents.contiguous())
        end = torch.full_like(values[..., :1], END * self.size)
        low = torch.cat([values[..., :1] - end, middle], 2).gather(2, place)
        high = torch.cat([middle, values[..., -1:] + end], 2).gather(2, place)
        room = torch.where(wanted > 0, high - latents, latents - low).clamp(min=TINY)
        moved = wanted * room / (room + wanted.abs())
        self.latents += moved.flatten(1)[:, : self.latents.shape[1]]

    @torch.no_grad()
    def gather(self) -> None:
        """Work out the gradient of the coefficients from that of the latents."""
        slope = self.latents.grad
        assert slope is not None
        slope, codes = self._grouped(slope), self._grouped(self._codes).int()
        moved = torch.stack([(feature[codes] * slope).sum(2) for feature in self._features.T], 2)
        if self._base is not None:
            moved = (moved * self._base).sum((1, 2), keepdim=True)
            moved = moved.sum(0, keepdim=True) if self.freedom == "matrix" else moved
        self.coefficients.grad = moved

    @torch.no_grad()
    def choose(self) -> Tensor:
        """Give each weight the level nearest to its latent; return how many codes changed.

        Returns
        -------
        int64, ()
            Where the weights are, which need not be waited for.
        """
        before = self._codes
        self._codes = self._nearest(self._all_coefficients())
        self.matrix.copy_(self._values())
        return (before != self._codes).sum()

    @torch.no_grad()
    def path(self, like: Path) -> Path:
        """Write the weights as ``like`` stores them; codes follow its rounded coefficients."""
        whole = part_of(like, self.fixed)
        whole = replace(whole, coefficients=self._all_coefficients().cpu())
        rounded = with_coefficients(whole, like)
        whole = part_of(rounded, self.fixed)
        codes = self._nearest(whole.coefficients.to(self.latents.device))
        return with_codes(replace(whole, codes=codes.long().cpu()), rounded)

    def _all_coefficients(self) -> Tensor:
        if self._base is None:
            return self.coefficients.detach()
        return self._base * self.coefficients.detach()

    def _table(self, coefficients: Tensor) -> Tensor:
        """Levels by code; (rows, groups, codes)."""
        return coefficients @ self._features.T

    def _grouped(self, values: Tensor) -> Tensor:
        """Cut columns into groups, the last filled up with zeros; (rows, groups, group)."""
        missing = -values.shape[1] % self.group
        return nn.functional.pad(values, (0, missing)).unflatten(1, (-1, self.group))

    def _values(self) -> Tensor:
        table = self._table(self._all_coefficients())
        values = table.gather(2, self._grouped(self._codes).long())
        return values.flatten(1)[:, : self._codes.shape[1]]

    def _nearest(self, coefficients: Tensor) -> Tensor:
        """Codes of the levels nearest to the latents; uint8, (rows, columns)."""
        table, latents = self._table(coefficients), self._grouped(self.latents.detach())
        found = torch.empty(0)
        for number, codes in enumerate(self._allowed):
            values, order = table[..., codes].sort(dim=2, stable=True)
            bounds = (values[..., 1:] + values[..., :-1]) / 2
            place = torch.searchsorted(bounds.contiguous(), latents)
            mine = codes[order].gather(2, place).flatten(1)[:, : self._codes.shape[1]]
            found = (
                mine
                if self._kind is None or number == 0
                else torch.where(self._kind == number, mine, found)
            )
        return found.to(torch.uint8)


def _first_of_equal(part: Part) -> Tensor:
    """Mark the codes whose level is in some group another than that of those before.

    Codes that always mean the same, such as no plane and both planes of ternary weights, would
    divide one level's weights among them.

    Returns
    -------
    bool, (kinds, codes)
    """
    table = part.coefficients @ part.features.T  # (rows, groups, codes)
    codes = table.shape[2]
    same = torch.stack([
        (table == table[..., [code]]).flatten(0, 1).all(0) for code in range(codes)
    ])
    kept = torch.ones_like(part.kinds)
    for code in range(1, codes):
        twins = same[code, :code] & part.kinds[:, :code]
        kept[:, code] = ~twins.any(1)
    return kept
