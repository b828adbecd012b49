"""Coordinate descent on codes and least squares of coefficients, in turn, for a given Hessian.

Both lower ``tr((W - V) H (W - V)^T)``, the error of the outputs, for values ``V``; each step is
the best one with all else as it is, so the error never rises.
"""

import torch
from torch import Tensor

from models.compensation.kernels import descend, tables_of
from models.compensation.parts import Part

BLOCK = 64
"""Columns after which the gradient of the others is brought up to date."""
PULL = 1e-5
"""Weight of staying put, beside the trace of the equations: decides what nothing else does."""


class Descent:
    """Values of all parts, and the gradient of the error.

    Attributes
    ----------
    hessian : float32, (columns, columns)
    slope : float32, (rows, columns)
        ``(V - W) H``, half the gradient.
    """

    def __init__(self, target: Tensor, hessian: Tensor, parts: list[Part]) -> None:
        self.hessian, self.parts, self.target = hessian, parts, target
        values = torch.zeros_like(target)
        for part in parts:
            values.index_add_(1, part.inputs, part.matrix())
        self.slope = (values - target) @ hessian

    def move(self, inputs: Tensor, change: Tensor) -> None:
        """Change the values of some columns; (rows, n)."""
        self.slope += change @ self.hessian[inputs]

    def sweep_codes(self) -> None:
        """Give every weight the level that is best with all others as they are."""
        for part in self.parts:
            for group, span in enumerate(part.spans):
                tables = tables_of([part.levels(group)])
                for start in range(span.start, span.stop, BLOCK):
                    columns = slice(start, min(start + BLOCK, span.stop))
                    before = part.values(columns, group)
                    inputs = part.inputs[columns]
                    local = self.hessian[inputs][:, inputs]
                    values = before.clone()
                    part.codes[:, columns] = descend(
                        values, self.slope[:, inputs], local, part.column_scale[columns],
                        part.kind[:, columns].contiguous(), tables,
                    )  # fmt: skip
                    self.move(inputs, values - before)

    def sweep_coefficients(self) -> None:
        """Move coefficients to their least squares, group by group."""
        for part in self.parts:
            if part.freedom == "group":
                for group, span in enumerate(part.spans):
                    self._refit_group(part, group, span)
            else:
                self._rescale(part)

    def _refit_group(self, part: Part, group: int, span: slice) -> None:
        inputs = part.inputs[span]
        local = self.hessian[inputs][:, inputs]
        features = part.features[part.codes[:, span]] * part.column_scale[span, None]
        features = features.movedim(2, 0)  # (coefficients, rows, columns)
        moment = -(features * self.slope[:, inputs]).sum(2).T  # (rows, coefficients)
        weighted = features @ local
        gram = torch.einsum("crj,drj->rcd", weighted, features).double()
        size = gram.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-30)
        gram = gram + PULL * torch.diag_embed(size[:, None].expand(-1, gram.shape[1]))
        step = torch.linalg.solve(gram, moment.double()).float()
        part.coefficients[:, group] += step
        self.move(inputs, torch.einsum("rc,crj->rj", step, features))

    def _rescale(self, part: Part) -> None:
        values = part.matrix()
        inputs = part.inputs
        over = -(values * self.slope[:, inputs]).sum(1)
        under = ((values @ self.hessian[inputs][:, inputs]) * values).sum(1)
        if part.freedom == "matrix":
            over, under = over.sum().expand_as(over), under.sum().expand_as(under)
        step = over / torch.where(under > 0, under, 1.0)
        part.coefficients *= (1 + step)[:, None, None]
        self.move(inputs, values * step[:, None])

    def error(self) -> float:
        """``tr((W - V) H (W - V)^T)``."""
        values = torch.zeros_like(self.target)
        for part in self.parts:
            values.index_add_(1, part.inputs, part.matrix())
        return float(((values - self.target) * self.slope).sum())
