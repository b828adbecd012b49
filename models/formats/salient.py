"""Formats that store some weights in more bits than others, and how they choose which."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.compensation.hessian import salience
from models.formats.spec import StageFormat
from models.lower import real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class SalientFormat(StageFormat):
    """A format that stores salient weights in more bits: large ones, or what inputs make so."""

    @abstractmethod
    def fit_salient(
        self, matrix: Tensor, name: str, activation: Activation, salience: Tensor
    ) -> BitplaneLayer:
        """Return the layer that changes the weights least, salient ones least of all.

        Parameters
        ----------
        matrix : float32, (out, in)
        salience : float64, (out, in)
            Not negative.
        """

    @one_thread()
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Fit; the squares of the weights are their salience."""
        matrix = real_matrix(weight)
        return self.fit_salient(matrix, name, activation, matrix.double().square())

    @one_thread()
    def fit_for(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor,
    ) -> BitplaneLayer:
        """Fit; salience is what the outputs would lose without a weight."""
        matrix = real_matrix(weight)
        return self.fit_salient(matrix, name, activation, salience(matrix.double(), hessian))
