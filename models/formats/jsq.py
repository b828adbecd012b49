"""Integers of which a mask keeps n of every m, as JSQ."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.formats.groups import in_groups
from models.formats.salient import SalientFormat
from models.lower import from_integers


@dataclass(frozen=True)
class Jsq(SalientFormat):
    """Symmetric integers with a scale per row, of which a mask keeps n of every m.

    The structure is that of JSQ (joint sparsification and quantization, Guo et al., ICML 2024).
    The authors choose what to keep by weights, activations and ranges of outputs; here the
    largest stay, with calibration the most salient (``w^2 / [H^-1]_jj``), the first of equal
    ones. A shorter last m keeps at most n. The scale is the row's peak over ``2**(bits-1) - 1``;
    ties round to even. Planes are the mask, then the integers of all weights in two's complement;
    each term is the AND of the mask and one of these.
    Storage: ``1 + bits`` bits per weight and 32 per row. (Storing kept weights only would take
    ``1 + bits / 2`` or less, but other hardware.)
    """

    fixed: ClassVar[int] = 1

    pattern: Literal["2:4", "4:8"] = "2:4"
    bits: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require(2 <= self.bits <= 8, "bits", "be from 2 to 8", self.bits)

    def fit_salient(
        self, matrix: Tensor, name: str, activation: Activation, salience: Tensor
    ) -> BitplaneLayer:
        """Choose the mask, and round all weights."""
        keep, of = (int(word) for word in self.pattern.split(":"))
        mask = largest(salience, keep, of)
        top = 2 ** (self.bits - 1) - 1
        scale = matrix.abs().amax(1) / top
        scale = scale.where(scale > 0, 1.0)
        whole = (matrix / scale[:, None]).round().clamp(-top, top).to(torch.int16)
        bits = torch.stack([mask] + [(whole >> plane & 1).bool() for plane in range(self.bits)])
        places = [1 << plane for plane in range(self.bits)]
        places[-1] = -places[-1]
        monomials = tuple(1 | 2 << plane for plane in range(self.bits))
        return from_integers(
            name, bits.numpy(), tuple(places), None, scale.numpy(), activation, monomials
        )


def largest(sizes: Tensor, keep: int, of: int) -> Tensor:
    """Mark the ``keep`` largest of every ``of`` columns, the first of equal ones; bool."""
    groups = in_groups(sizes, of, fill=-1.0)
    order = groups.argsort(dim=2, descending=True, stable=True)[..., :keep]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter(2, order, True)
    return mask.flatten(1)[:, : sizes.shape[1]]
