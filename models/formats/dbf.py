"""Products of two matrices of signs: DBF, MDBF and LittleBit."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.chain import SignChain, assumed_inputs, chain_path
from models.checks import require
from models.codes import Activation
from models.formats.factors import Factor, factorize
from models.formats.spec import Format
from models.lower import real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class Product(Format):
    """Options that the formats share, and their encoder.

    A layer of ``out`` x ``in`` weights is a sum of ``P`` products of rank ``r``, with ``l``
    envelopes each. It stores, in bits:

    - signs: ``P r (out + in)``;
    - scales of inputs, and of the output, float32: ``32 P (l in + out)``;
    - factors between the stages, int16: ``16 P l r``;
    - coefficients of both stages, int16, with their mixes: ``16 P l (r + out) + 32 P`` where
      ``l > 1``, else ``64 P``.

    ``bits``, the target per weight, chooses the rank by the formula of the method's authors, whose
    scales take 16 bits each: what ``show`` says is more. The encoder knows the weights only: it
    starts from singular vectors, as published for MDBF and LittleBit, and takes ``steps`` outer
    steps of ADMM. The scale of the ``mid_bits`` codes between the stages is fixed for Gaussian
    inputs of equal variance, see :mod:`models.chain`.
    """

    bits: float = 1.0
    steps: int = 40
    mid_bits: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.bits <= 8, "bits", "be above 0 and at most 8", self.bits)
        require(0 <= self.steps <= 10000, "steps", "be from 0 to 10000", self.steps)
        require(2 <= self.mid_bits <= 16, "mid_bits", "be from 2 to 16", self.mid_bits)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Paths, and envelopes of each."""

    @abstractmethod
    def rank(self, out: int, columns: int) -> int:
        """Rank of each path for a layer of ``out`` x ``columns``; below 1 if it does not fit."""

    @one_thread()
    def quantize(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Factorize the matrix, then what each path leaves over."""
        matrix = real_matrix(weight)
        inputs = assumed_inputs(matrix.shape[1])
        paths = tuple(
            chain_path(chain, activation, self.mid_bits, inputs) for chain in self.chains(matrix)
        )
        return BitplaneLayer(name, matrix.shape[1], paths)

    @one_thread()
    def chains(self, matrix: Tensor) -> list[SignChain]:
        """Return the products, before anything is rounded; ``matrix`` is float32, (out, in)."""
        out, columns = matrix.shape
        rank = self.rank(out, columns)
        rule = f"leave a layer of {out} x {columns} a rank of 1 or more"
        require(rank >= 1, "bits", rule, self.bits)
        count, most = self.shape
        envelopes = min(most, out, columns, rank)
        found: list[SignChain] = []
        rest = matrix
        for _ in range(count):
            peak = float(rest.abs().max()) or 1.0
            factors = factorize(rest / peak, rank, envelopes, self.steps)
            found.append(sign_chain(*factors, rest, peak))
            rest = rest - torch.from_numpy(found[-1].matrix).float()
        return found


@dataclass(frozen=True)
class Dbf(Product):
    """Two chained sign matrices between three scale vectors (DBF).

    Double binary factorization, arXiv 2505.11076. The rank is ``r = (bits out in - 16 (out + in))
    / (out + in + 16)``, rounded down; the authors leave the vectors out of the count (2048 for
    4096 x 4096 at 1 bit; here 2028), weigh the error with calibration data and train further.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """One path, one envelope."""
        return 1, 1

    def rank(self, out: int, columns: int) -> int:
        """Rank that fits the bits."""
        return rank_for(self.bits, out, columns, paths=1, envelopes=1, middle=1)


@dataclass(frozen=True)
class Mdbf(Product):
    """Two chained sign matrices under envelopes of low rank (MDBF).

    arXiv 2512.24545, code ``FujitsuResearch/OneCompression``. The rank is ``r = (bits out in /
    paths - 16 l (out + in)) / (out + in + 32 l)``, rounded down, for ``l`` envelopes. A path runs
    its sign bits ``l`` times.
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

    def rank(self, out: int, columns: int) -> int:
        """Rank that fits the bits."""
        count, most = self.shape
        return rank_for(self.bits, out, columns, count, most, middle=2 * most)


@dataclass(frozen=True)
class LittleBit(Product):
    """Two paths of two chained sign matrices each (LittleBit).

    NeurIPS 2025, code ``SamsungLabs/LittleBit``; the second path is for what the first leaves
    over. The rank is ``s = (bits out in - 32 (out + in)) / (2 (out + in + 16))``, rounded down to
    a multiple of 8 but at least 8, so a small layer can exceed ``bits``. The authors train the
    model from there, on which the method rests; with ``steps=0`` the start is theirs.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Two paths of one envelope."""
        return 2, 1

    def rank(self, out: int, columns: int) -> int:
        """Rank that fits the bits, a multiple of 8."""
        rank = rank_for(self.bits, out, columns, paths=2, envelopes=1, middle=1)
        return max(8, rank // 8 * 8)


def rank_for(bits: float, out: int, columns: int, paths: int, envelopes: int, middle: int) -> int:
    """Return the largest rank that fits, with 16-bit scales; below 1 if none does.

    ``middle`` is how many scales there are for each unit of rank.
    """
    size = out + columns
    budget = bits * out * columns / paths - 16 * envelopes * size
    return int(budget // (size + 16 * middle))


def sign_chain(left: Factor, right: Factor, weight: Tensor, peak: float) -> SignChain:
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
