"""The Hessian of a layer's output error: damped, and factored for error feedback."""

import torch
from torch import Tensor

from models.checks import require

DAMPING = 0.01
"""Part of the mean of the Hessian's diagonal that is added to it."""


def damped(hessian: Tensor) -> Tensor:
    """Divide by the mean of the diagonal, and add :data:`DAMPING` to the diagonal.

    Parameters
    ----------
    hessian : float32, (in, in)
        Mean of ``x x^T`` over a layer's inputs; may be singular, but not zero.

    Returns
    -------
    float32, (in, in)
        Positive definite.

    Raises
    ------
    ValueError
        All inputs were zero.
    """
    mean = float(hessian.diagonal().mean())
    require(mean > 0, "the layer's inputs", "be other than zero", "zeros only")
    hessian = hessian / mean
    hessian.diagonal().add_(DAMPING)
    return hessian


def inverse_factor(hessian: Tensor) -> Tensor:
    """Return the upper triangular ``U`` with ``U^T U`` the inverse of a positive definite matrix.

    With columns up to ``b`` chosen, at an error ``E`` in the columns ``b``, later ones are best
    moved by ``-E U[b, b]^-1 U[b, later]``.

    Returns
    -------
    float64, as the argument
    """
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian.double()))
    return torch.linalg.cholesky(inverse, upper=True)


def salience(weight: Tensor, hessian: Tensor) -> Tensor:
    """How much the error of the output grows if a weight is left out and others make up for it.

    That is ``w^2 / [H^-1]_jj`` (Hassibi and Stork, "Second order derivatives for network pruning:
    Optimal Brain Surgeon", 1992), for the damped Hessian.

    Parameters
    ----------
    weight : float, (out, in)
    hessian : float32, (in, in)
        As for :func:`damped`.

    Returns
    -------
    as ``weight``
    """
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped(hessian).double()))
    return weight.square() / inverse.diagonal().to(weight)
