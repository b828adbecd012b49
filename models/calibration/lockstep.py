"""A block's runs over many windows, each of which waits where layers are to be replaced.

A block could be run anew for each group of its layers, up to there. Here each run goes on from
group to group, so that no layer and no attention runs twice; `docs/results.md` has what it gains.
"""

from collections.abc import Iterator
from typing import Any, Self

import torch
from greenlet import getcurrent, greenlet
from torch import Tensor, nn

from models.calibration.blocks import Block
from models.calibration.trace import Group
from models.checks import require


class Lockstep:
    """Runs of a block, one a window, that wait before each group of layers.

    One works at a time, each as a coroutine. They end with the context.

    Parameters
    ----------
    block : Block
        Its layers can be replaced by :meth:`replace` meanwhile.
    groups : list of Group
        In the order of use.
    hidden : list of (1, tokens, width)
        What the block reads, for each window.
    """

    def __init__(self, block: Block, groups: list[Group], hidden: list[Tensor]) -> None:
        self._slots: dict[str, _Slot] = {}
        for index, group in enumerate(groups):
            for name in group.names:
                slot = _Slot(block.module.get_submodule(name), index, group.additive)
                block.module.set_submodule(name, slot)
                self._slots[name] = slot
        self._runs = [_Run(block, one) for one in hidden]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for run in self._runs:
            run.stop()

    def reads(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Go on to a group; give what it reads, and what an additive one adds to, for each window.

        Returns
        -------
        iterator of (tokens, in), (tokens, width)

        Raises
        ------
        ValueError
            A window does not get there.
        """
        for run in self._runs:
            while run.waiting < index and not run.dead:
                run.resume()
            rule = "use its layers in each window in one order"
            require(run.waiting == index, "a block", rule, "a window that does not")
            yield run.read, run.total

    def replace(self, name: str, layer: nn.Module) -> None:
        """Put a layer in place of that of a name."""
        self._slots[name].layer = layer

    def results(self) -> Iterator[Tensor]:
        """Let the runs come to their end; give what the block puts out, (1, tokens, width)."""
        for run in self._runs:
            while not run.dead:
                run.resume()
            yield run.result


class _Run(greenlet):
    """A run for a window: waits before the group ``waiting``, which reads ``read``."""

    def __init__(self, block: Block, hidden: Tensor) -> None:
        super().__init__(self._work)
        self._block, self._hidden, self._maker = block, hidden, getcurrent()
        self.waiting, self.read, self.total = -1, hidden, hidden.flatten(0, -2)
        self.result = hidden

    def _work(self) -> None:
        self.result = self._block.run(self._hidden)

    def resume(self) -> None:
        """Let it go on until it waits again, or ends."""
        with torch.no_grad():  # as inside: a switch takes that along, either way
            self.switch()

    def stop(self) -> None:
        """End it where it waits."""
        with torch.no_grad():
            self.throw()

    def wait(self, index: int, x: Tensor) -> None:
        """Wait, from inside, before a group that reads ``x``."""
        self.waiting, self.read = index, x.detach().flatten(0, -2)
        self._maker.switch()


class _Slot(nn.Module):
    """Where a block has a layer, whose are all other attributes."""

    def __init__(self, layer: nn.Module, group: int, additive: bool) -> None:
        super().__init__()
        self.layer, self._group, self._additive = layer, group, additive

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, after a wait if the layer is the first of its group."""
        run = getcurrent()
        if not isinstance(run, _Run):
            return self.layer(x)
        if self._group > run.waiting:
            run.wait(self._group, x)
        y = self.layer(x)
        if self._additive:
            run.total = run.total + y.detach().flatten(0, -2)
        return y
