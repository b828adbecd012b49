"""Checks in the project's wording: subject, rule, offending value."""

import numpy as np
from numpy.typing import NDArray


def require(condition: bool, subject: str, rule: str, got: object) -> None:
    """Raise ``ValueError`` in the project's wording unless the condition holds."""
    if not condition:
        raise ValueError(f"{subject} must {rule}, got {got}")


def require_array(
    array: NDArray, subject: str, dtypes: tuple[str, ...], shape: tuple[int, ...], spread: bool
) -> None:
    """Raise ``ValueError`` unless an array has one of the dtypes and the shape.

    With ``spread``, a dimension may also be 1: it is stored once and holds for all.
    """
    require(str(array.dtype) in dtypes, subject, f"be {' or '.join(dtypes)}", array.dtype)
    fits = len(array.shape) == len(shape) and all(
        have in ((want, 1) if spread else (want,))
        for have, want in zip(array.shape, shape, strict=True)
    )
    require(fits, subject, f"have shape {shape}{' or 1s in it' if spread else ''}", array.shape)
    if array.dtype.kind == "f":
        require(bool(np.isfinite(array).all()), subject, "be finite", "a NaN or an infinity")
