"""The order in which windows are learned from."""

import torch


class Order:
    """Windows at random, each once in a pass; the same for the same seed, wherever one begins.

    Parameters
    ----------
    count : int
        Windows.
    seed : int
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._pass, self._windows = -1, []

    def batch(self, step: int, size: int) -> list[int]:
        """Return the windows of a step."""
        return [self._window(place) for place in range(step * size, (step + 1) * size)]

    def _window(self, place: int) -> int:
        number, within = divmod(place, self._count)
        if number != self._pass:
            random = torch.Generator().manual_seed(self._seed + number)
            self._pass = number
            self._windows = torch.randperm(self._count, generator=random).tolist()
        return self._windows[within]
