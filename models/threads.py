"""Fitting on one thread, so that results do not depend on how many there are."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread until the block ends; also a decorator.

    Sums then have one order. It costs little time: the operations of a fit are small, and on a
    busy machine threads that wait for each other made it up to 8 times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
