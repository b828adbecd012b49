"""One multiplication by a matrix of binary planes, with its coefficients and its inputs' codes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import planes as packed_planes
from models.checks import require, require_array
from models.codes import Activation, Requantize, Transform
from models.coefficients import Index, Mix, Stored, check_coefficients, mix_bits, mixed
from models.integers import MOST_COLUMNS, signed_bits
from models.trits import PER_BYTE

MOST_TERMS = 64
"""Binary terms of a stage."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One multiplication by a matrix of binary planes.

    Attributes
    ----------
    planes : uint8, (k, out, row_bytes(columns))
        Packed as :mod:`models.planes` says; unused bits are zero.
    columns : int
        Bits of a row in use: inputs after gather and transform.
    group : int
        Columns that share a coefficient; the last group may be shorter.
    coefficients : int8 or int16, (views, out, groups, stored), 1s for any dimensions but the last
        Or, with ``index``, a table (entries, stored). One for each term without a ``mix``.
    monomials : tuple of int
        Each term's planes, as a bit mask: the term's bit is the AND of them.
    offset : int16, (views, out, groups), 1s as above, or None
        Multiplies the sum of the group's activations.
    index : uint8 or uint16, (out, groups), 1s as above, or None
        The table entry of each row and group.
    mix : Mix or None
        How often each stored coefficient counts in each term's, and in the offset.
    bias : int64, (out,), or None
        Added to the accumulator.
    gather : int32, (inputs used,), or None
        Which inputs, in which order; all of them when None.
    column_scale : float16 or float32, (views, inputs used), or None
        Multiplies real inputs; more than one view makes several versions of the input.
    activation : Activation or None
        None for the second stage of a chain, whose inputs are integers already.
    transform : Transform or None
    requantize : Requantize or None
        Only in the first stage of a chain.
    base3 : bool
        Whether the two planes, of weights 1 and -1, are stored as :mod:`models.trits` has them:
        five weights to a byte. No weight is in both then.
    """

    planes: NDArray[np.uint8]
    columns: int
    group: int
    coefficients: Stored
    monomials: tuple[int, ...]
    offset: NDArray[np.int16] | None = None
    index: Index | None = None
    mix: Mix | None = None
    bias: NDArray[np.int64] | None = None
    gather: NDArray[np.int32] | None = None
    column_scale: NDArray[np.float16] | NDArray[np.float32] | None = None
    activation: Activation | None = None
    transform: Transform | None = None
    requantize: Requantize | None = None
    views: int = 1
    base3: bool = False

    def __post_init__(self) -> None:
        self._check_planes()
        self._check_coefficients()
        self._check_codes()

    def _check_planes(self) -> None:
        require(self.planes.ndim == 3, "planes", "have 3 dimensions", self.planes.ndim)
        require(1 <= self.k <= 16, "planes", "number from 1 to 16", self.k)
        require(self.out > 0, "planes", "have at least one row", self.out)
        require(self.columns > 0, "columns", "be positive", self.columns)
        require(1 <= self.views <= 16, "views", "be from 1 to 16", self.views)
        wide = self.columns * self.views
        require(wide <= MOST_COLUMNS, "columns of all views", f"be at most {MOST_COLUMNS}", wide)
        width = packed_planes.row_bytes(self.columns)
        require_array(self.planes, "planes", ("uint8",), (self.k, self.out, width), False)
        used = packed_planes.pack(np.ones(self.columns, np.bool_))
        clean = not bool((self.planes[..., -packed_planes.WORD_BYTES :]
                          & ~used[-packed_planes.WORD_BYTES :]).any())  # fmt: skip
        require(clean, "unused bits of planes", "be zero", "a one")
        if self.base3:
            require(self.k == 2, "planes in base 3", "be 2", self.k)
            apart = not bool((self.planes[0] & self.planes[1]).any())
            require(apart, "planes in base 3", "have no weight in common", "one")

    def _check_coefficients(self) -> None:
        require(1 <= self.group <= self.columns, "group", f"be 1 to {self.columns}", self.group)
        require(1 <= self.terms <= MOST_TERMS, "terms", f"number 1 to {MOST_TERMS}", self.terms)
        for mono in self.monomials:
            top = (1 << self.k) - 1
            require(1 <= mono <= top, "monomial", f"be 1 to {top} for {self.k} planes", mono)
        shape = (self.views, self.out, self.groups)
        check_coefficients(self.coefficients, self.index, self.mix, shape, self.terms)
        if self.offset is not None:
            require_array(self.offset, "offset", ("int16",), shape, True)
        if self.bias is not None:
            require_array(self.bias, "stage bias", ("int64",), (self.out,), False)

    def _check_codes(self) -> None:
        if self.gather is not None:
            require_array(self.gather, "gather", ("int32",), (self.gather.size,), False)
            require(self.gather.size > 0, "gather", "name at least one input", "none")
        if self.column_scale is not None:
            have = self.column_scale.ndim
            require(have == 2, "column scale", "have 2 dimensions", have)
        if self.activation is not None and self.activation.scale == "group":
            require(self.transform is None, "transform", "be none with group scales", "one")
            have = self.activation.group
            require(have == self.group, "activation group", f"equal group {self.group}", have)

    @property
    def k(self) -> int:
        """Number of planes."""
        return self.planes.shape[0]

    @property
    def out(self) -> int:
        """Number of rows."""
        return self.planes.shape[1]

    @property
    def groups(self) -> int:
        """Coefficient groups in a row."""
        return -(-self.columns // self.group)

    @property
    def terms(self) -> int:
        """Binary terms, each with its coefficient."""
        return len(self.monomials)

    @property
    def result_views(self) -> int:
        """Views of what the stage gives: of the codes of the next one, else 1."""
        return 1 if self.requantize is None else len(self.requantize.row_scale)

    @property
    def codes(self) -> Activation | Transform | None:
        """What gives the integers that meet the planes; None for a chain's second stage."""
        return self.transform or self.activation

    def check_inputs(self, inputs: int) -> None:
        """Raise ``ValueError`` unless the stage can take that many inputs."""
        if self.gather is not None:
            low, high = int(self.gather.min()), int(self.gather.max())
            fits = low >= 0 and high < inputs
            require(fits, "gather", f"name inputs 0 to {inputs - 1}", f"{low} to {high}")
            inputs = len(self.gather)
        if self.column_scale is not None:
            shape = (self.column_scale.shape[0], inputs)
            kinds = ("float16", "float32")
            require_array(self.column_scale, "column scale", kinds, shape, False)
        want = inputs if self.transform is None else self.transform.columns(inputs)
        require(self.columns == want, "columns", f"be {want} for {inputs} inputs", self.columns)

    @property
    def stored_bits(self) -> int:
        """Bits of everything stored in the stage, planes without padding of words."""
        arrays: list[NDArray | None] = [self.coefficients, self.offset, self.index, self.bias]
        arrays += [self.gather, self.column_scale]
        if self.transform is not None:
            arrays += [self.transform.signs, self.transform.matrix]
        if self.requantize is not None:
            arrays.append(self.requantize.row_scale)
        extra = sum(8 * array.nbytes for array in arrays if array is not None)
        row = 8 * -(-self.columns // PER_BYTE) if self.base3 else self.k * self.columns
        return row * self.out + extra + mix_bits(self.mix)

    def accumulator_bits(self, magnitude: int) -> int:
        """Signed width that no codes of at most this magnitude can overflow."""
        sizes = np.full(self.groups, self.group, np.int64)
        sizes[-1] = self.columns - self.group * (self.groups - 1)
        weight = np.abs(self.spread_coefficients().astype(np.int64)).sum(-1)
        weight = weight + np.abs(self.spread_offset().astype(np.int64))
        rows = (weight * sizes).sum(-1).sum(0)  # (out,)
        exponents = self.activation.exponents if self.activation else 0
        total = (int(rows.max()) * magnitude) << exponents
        if self.bias is not None:
            total += max(int(self.bias.max()), -int(self.bias.min()))
        return signed_bits(total)

    @property
    def has_offset(self) -> bool:
        """Whether sums of activations count: with an offset, or one that is mixed."""
        return self.offset is not None or any(row[-1] != 0 for row in self.mix or ())

    def spread_coefficients(self) -> NDArray[np.int32]:
        """Coefficient of every term in every row and group.

        Returns
        -------
        int32, (views, out, groups, terms)
            A read-only view where a dimension was stored once.
        """
        shape = (self.views, self.out, self.groups, self.terms)
        return np.broadcast_to(self._mixed[..., :-1], shape)

    def spread_offset(self) -> NDArray[np.int32]:
        """Offset of every row and group, zeros without any; int32, (views, out, groups)."""
        offset = self._mixed[..., -1]
        if self.offset is not None:
            offset = offset + self.offset
        return np.broadcast_to(offset, (self.views, self.out, self.groups))

    @property
    def _mixed(self) -> NDArray[np.int32]:
        """Coefficients and offset of each group, or of all; int32, (..., terms + 1)."""
        values = mixed(self.coefficients.astype(np.int32), self.mix)
        if self.index is None:
            return values
        return values[np.broadcast_to(self.index, (self.out, self.groups))][np.newaxis]
