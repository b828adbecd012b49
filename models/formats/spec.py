"""What all formats share: options that are checked when made, and quantizing a matrix."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.cli import nearest
from models.codes import Activation
from models.compensation import compensated
from models.lower import real_matrix


@dataclass(frozen=True)
class Format(ABC):
    """Options of a format; a subclass adds its own, whole numbers or literal choices.

    Attributes
    ----------
    by_rows : bool
        Whether rows of a matrix are quantized apart, but for tables that they share.
    """

    by_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, choices in choices_of(type(self)).items():
            require_choice(name, getattr(self, name), choices)

    @abstractmethod
    def quantize(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor | None = None,
    ) -> BitplaneLayer:
        """Return the layer of this format nearest to a real matrix.

        Parameters
        ----------
        weight : float, (out, in)
            Finite; quantized from its float32 value.
        name : str
            Name of the layer.
        activation : Activation
            How the layer's inputs become integers; planes do not depend on it.
        hessian : float32, (in, in), or None
            Mean of ``x x^T`` over inputs ``x``. Near is then what changes their products least,
            else what changes the weights least.
        """

    def hurried(self) -> "Format":
        """Return a format that stores as many bits and takes seconds, however far it is off."""
        return self


@dataclass(frozen=True)
class StageFormat(Format):
    """A format whose layers are single stages: fitted to weights, then compensated.

    Attributes
    ----------
    fixed : int
        Bit mask of planes that compensation leaves as they were fitted.
    """

    by_rows: ClassVar[bool] = True
    fixed: ClassVar[int] = 0

    @abstractmethod
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Return the layer that changes the weights least; as :meth:`quantize` otherwise."""

    def fit_for(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor,
    ) -> BitplaneLayer:
        """Fit, and choose by the inputs which weights get more planes, in formats that do so."""
        return self.fit(weight, name, activation)

    def quantize(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor | None = None,
    ) -> BitplaneLayer:
        """Fit the weights; with a Hessian, compensate the layer for its inputs."""
        if hessian is None:
            layer = self.fit(weight, name, activation)
        else:
            layer = self.fit_for(weight, name, activation, hessian)
            layer = compensated(layer, real_matrix(weight), hessian, self.fixed)
        return self.finish(layer, activation)

    def finish(self, layer: BitplaneLayer, activation: Activation) -> BitplaneLayer:
        """Do what depends on the final planes and coefficients: nothing, for most formats."""
        return layer


def require_coef_bits(bits: int, used: bool = True) -> None:
    """Raise ``ValueError`` for bits of coefficients but 8 to 16, or where there are no such."""
    require(8 <= bits <= 16, "coef_bits", "be from 8 to 16", bits)
    require(used or bits == 16, "coef_bits", "be left out where a row has one scale only", bits)


def choices_of(kind: type[Format]) -> dict[str, tuple[str, ...]]:
    """Return the allowed words of the options that are words."""
    hints = get_type_hints(kind)
    return {
        field.name: get_args(hints[field.name])
        for field in fields(kind)
        if get_origin(hints[field.name]) is Literal
    }


def require_choice(subject: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` that lists the choices, and the one that may have been meant."""
    if value not in choices:
        hint = nearest(value, choices)
        meant = f"; {hint}" if hint.startswith("did you mean") else ""
        raise ValueError(f"{subject} must be one of {', '.join(choices)}, got {value!r}{meant}")


def require_group(group: int, scale: str, default: int) -> None:
    """Raise ``ValueError`` for a group below 1, or one given for scales that have no groups."""
    require(group >= 1, "group", "be 1 or more", group)
    unused = scale != "group" and group != default
    require(not unused, "group", f"be left out with scale {scale}", group)
