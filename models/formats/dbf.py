"""Products of two matrices of signs: DBF, MDBF and LittleBit."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import floor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.chain import SignChain, assumed_inputs, chain_path, stored_bits
from models.checks import require
from models.codes import Activation
from models.compensation.hessian import damped
from models.formats.admm import factorize
from models.formats.factors import Factor
from models.formats.metric import Metric
from models.formats.polish import polish
from models.formats.spec import Format, require_coef_bits
from models.lower import real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class Product(Format):
    """Options that the formats share, and their encoder.

    A layer of ``out`` x ``in`` weights is a sum of ``P`` products of rank ``r``, with ``l``
    envelopes each. It stores, in bits:

    - signs: ``P r (out + in)``;
    - scales of inputs, float16: ``16 P l in``;
    - factors between the stages, int16: ``16 P l r``;
    - coefficients of the outputs, and between the stages where ``l > 1``, in ``c`` bits, which is
      8, or 16 with ``coef_bits`` above 8: ``c P l out``, and ``c P l r``;
    - their units and mixes: ``64 P``, and ``8 P`` more where ``l`` is 1.

    ``bits``, the target per weight, chooses the largest rank that fits. The encoder takes
    ``steps`` outer steps of ADMM, see :mod:`models.formats.admm`, from singular vectors, as
    published for MDBF and LittleBit; then ``rounds`` of least squares and flips of signs, see
    :mod:`models.formats.polish`. All of that counts errors by the full Hessian where there is one.
    The scale of the ``mid_bits`` codes between the stages is fixed for Gaussian inputs, see
    :mod:`models.chain`.
    """

    bits: float = 1.0
    steps: int = 60
    rounds: int = 4
    mid_bits: int = 8
    coef_bits: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.bits <= 8, "bits", "be above 0 and at most 8", self.bits)
        require(0 <= self.steps <= 10000, "steps", "be from 0 to 10000", self.steps)
        require(0 <= self.rounds <= 10000, "rounds", "be from 0 to 10000", self.rounds)
        require(2 <= self.mid_bits <= 16, "mid_bits", "be from 2 to 16", self.mid_bits)
        require_coef_bits(self.coef_bits)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Paths, and envelopes of each."""

    def rank(self, out: int, columns: int) -> int:
        """Rank of each path for a layer of ``out`` x ``columns``; below 1 if it does not fit."""
        paths, envelopes = self.shape
        none, one = (stored_bits(out, rank, columns, envelopes, self.coef_bits) for rank in (0, 1))
        return int((self.bits * out * columns / paths - none) // (one - none))

    def hurried(self) -> "Product":
        """Leave out all that follows the start."""
        return replace(self, steps=0, rounds=0)

    @one_thread()
    def quantize(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor | None = None,
    ) -> BitplaneLayer:
        """Factorize the matrix, then what each path leaves over."""
        matrix = real_matrix(weight)
        chains = self.chains(matrix, hessian)
        inputs = assumed_inputs(matrix.shape[1], hessian)
        paths = tuple(
            chain_path(chain, activation, self.mid_bits, inputs, self.coef_bits) for chain in chains
        )
        return BitplaneLayer(name, matrix.shape[1], paths)

    @one_thread()
    def chains(self, matrix: Tensor, hessian: Tensor | None = None) -> list[SignChain]:
        """Return the products, before anything is rounded.

        Parameters
        ----------
        matrix : float32, (out, in)
        hessian : float32, (in, in), or None
            As in :meth:`quantize`.
        """
        out, columns = matrix.shape
        rank, (count, most) = self.rank(out, columns), self.shape
        least = count * stored_bits(out, 1, columns, most, self.coef_bits) / (out * columns)
        least = (floor(1e4 * least) + 1) / 1e4  # not the number itself, which floats may miss
        rule = f"be {least} or more in a layer of {out} x {columns}, paths {count}"
        require(rank >= 1, "bits", rule, self.bits)
        envelopes = min(most, out, columns, rank)
        loud, metric = _metric(columns, hessian)
        found: list[SignChain] = []
        rest = matrix
        for _ in range(count):
            target = rest * loud
            peak = float(target.abs().max()) or 1.0
            left, right = factorize(target / peak, metric, rank, envelopes, self.steps)
            left, right = polish(left, right, target / peak, metric, self.rounds)
            right = replace(right, outer=right.outer / loud[:, None])
            found.append(_sign_chain(left.balanced(), right.balanced(), rest, peak))
            rest = rest - torch.from_numpy(found[-1].matrix).float()
        return found


@dataclass(frozen=True)
class Dbf(Product):
    """Two chained sign matrices between three scale vectors (DBF).

    Double binary factorization, arXiv 2505.11076. The authors leave the vectors out of the count
    (rank 2048 for 4096 x 4096 at 1 bit; here 2032), weigh errors by the diagonal of the Hessian
    and by gradients of the outputs, and train further.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """One path, one envelope."""
        return 1, 1


@dataclass(frozen=True)
class Mdbf(Product):
    """Two chained sign matrices under envelopes of low rank (MDBF).

    arXiv 2512.24545, code ``FujitsuResearch/OneCompression``. ``paths`` products, the second for
    what the first leaves, and so on; each sign matrix has ``envelopes`` of rank 1, ``l`` below,
    and its bits run so many times.
    """

    envelopes: int = 2
    paths: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.envelopes <= 16, "envelopes", "be from 1 to 16", self.envelopes)
        require(1 <= self.paths <= 16, "paths", "be from 1 to 16", self.paths)

    @property
    def shape(self) -> tuple[int, int]:
        """As the options say."""
        return self.paths, self.envelopes


@dataclass(frozen=True)
class LittleBit(Product):
    """Two paths of two chained sign matrices each (LittleBit).

    NeurIPS 2025, code ``SamsungLabs/LittleBit``; the second path is for what the first leaves
    over. The rank is rounded down to a multiple of 8 but at least 8, so a small layer can exceed
    ``bits``. The authors train the model from there, on which the method rests; with
    ``steps=0,rounds=0`` the start is theirs.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Two paths of one envelope."""
        return 2, 1

    def rank(self, out: int, columns: int) -> int:
        """Rank that fits the bits, a multiple of 8."""
        return max(8, super().rank(out, columns) // 8 * 8)


def _metric(columns: int, hessian: Tensor | None) -> tuple[Tensor, Metric]:
    """Return the root mean square of each input, damped, and how errors relative to it count."""
    if hessian is None:
        return torch.ones(columns), Metric()
    have = " x ".join(map(str, hessian.shape))
    require(hessian.shape == (columns, columns), "hessian", f"be {columns} x {columns}", have)
    moments = damped(hessian.float())
    loud = moments.diagonal().sqrt()
    return loud, Metric(moments / (loud[:, None] * loud))


def _sign_chain(left: Factor, right: Factor, weight: Tensor, peak: float) -> SignChain:
    """Make the chain of the factors of ``weight / peak``; rows and columns of zeros are zero."""
    a, b = left.outer.double().T * peak, right.outer.double().T
    a = torch.where(weight.any(dim=1), a, 0.0)
    b = torch.where(weight.any(dim=0), b, 0.0)
    return SignChain(
        left.signs.T.numpy(),
        right.signs.numpy(),
        a.numpy(),
        left.inner.double().T.numpy(),
        right.inner.double().T.numpy(),
        b.numpy(),
    )
