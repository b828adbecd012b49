"""Rows in processes of their own, several at once, on one thread each."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import torch

from models.compare.rows import Row
from models.compare.run import Comparison


def run_all(comparison: Comparison, rows: Sequence[Row], jobs: int) -> Iterator[Row]:
    """Do the rows, ``jobs`` at once; yield each when it is done.

    A row whose process dies has the reason in its record. Whatever ends this, ends the processes,
    and they go on where they stopped when they are asked again.
    """
    left = [row for row in rows if not comparison.record(row).evaluated]
    yield from (row for row in rows if row not in left)
    if not left:
        return
    comparison.share()
    spawn = multiprocessing.get_context("spawn")
    running: dict[int, tuple[Row, SpawnProcess]] = {}
    before = signal.signal(signal.SIGTERM, _end)
    try:
        while left or running:
            while left and len(running) < jobs:
                row = left.pop(0)
                process = spawn.Process(target=_row, args=(comparison, row))
                with _quiet_on_one_thread():
                    process.start()
                running[process.sentinel] = row, process
            for sentinel in wait(list(running)):
                assert isinstance(sentinel, int)
                row, process = running.pop(sentinel)
                process.join()
                if process.exitcode:
                    comparison.failed(row, f"its process ended with status {process.exitcode}")
                yield row
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet_on_one_thread() -> Iterator[None]:
    """Let processes that start meanwhile have one thread, and no bars over each other's."""
    before = dict(os.environ)
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _row(comparison: Comparison, row: Row) -> None:
    """Do a row; an interrupt is for the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    torch.set_num_threads(1)
    comparison.run(row)


def _end(number: int, _: FrameType | None) -> None:
    """Leave, so that nothing half-written stays."""
    sys.exit(128 + number)
