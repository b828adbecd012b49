"""Workers: where tasks run, by Dask; on this machine, or behind a scheduler that is there."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed.comm.addressing import get_address_host_port, normalize_address

from explore.task import OtherVersions, Outcome, Task, check_signature, perform, signature
from models.checks import require

PATIENCE = 60
"""Seconds that a scheduler may take to answer, and to have a worker."""

LOST = 9
"""Workers that may be lost with a task; with one more it counts as failed."""


ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables of a worker's processes. Dask would also have memory given back at once, with which
the reference takes twice the time: ``MALLOC_TRIM_THRESHOLD_=65536 python -m models bench``."""


class Workers:
    """Tasks' way to processes.

    Attributes
    ----------
    folder : Path
        Of answers; workers must see it under the same path, or they do not share what they know.
    """

    def __init__(self, client: Client, folder: Path) -> None:
        self._client, self.folder = client, folder

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """Give outcomes with the places of their tasks, as they come.

        A worker that is lost has its tasks done by others.

        Raises
        ------
        OtherVersions
            A worker has other versions than this process.
        """
        futures = {
            self._client.submit(
                perform, task, str(self.folder), signature(), pure=False, retries=0
            ): place
            for place, task in enumerate(tasks)
        }
        for future in as_completed(list(futures), loop=self._client.loop):
            error = future.exception()
            if isinstance(error, OtherVersions):
                raise ValueError(str(error))
            if isinstance(error, KilledWorker):
                line = f"{LOST + 1} workers were lost with it"
                yield futures[future], Outcome(None, line, str(error))
            elif error is not None:
                raise error
            else:
                yield futures[future], future.result()


class Here:
    """No workers: tasks run in this process, one after the other.

    Attributes
    ----------
    folder : Path
        Of answers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """Give outcomes with the places of their tasks."""
        for place, task in enumerate(tasks):
            yield place, perform(task, str(self.folder), signature())


def workers(
    count: int, scheduler: str | None, folder: Path
) -> AbstractContextManager[Workers | Here]:
    """Return workers to enter: so many on this machine, or a scheduler's; with 0, tasks run here.

    Raises
    ------
    ValueError
        At once: the count is negative, or the scheduler's address is none. When entered: the
        scheduler has no worker, or one with other versions.
    OSError
        When entered: it cannot be reached.
    """
    require(count >= 0, "workers", "be 0 or more", count)
    if scheduler is not None:
        _check_address(scheduler)
    return _started(count, scheduler, folder)


def _check_address(scheduler: str) -> None:
    """Refuse what Dask would never end trying to reach."""
    rule = "be an address as tcp://10.0.0.1:8786"
    try:
        _, port = get_address_host_port(normalize_address(scheduler), strict=True)
    except ValueError as error:
        raise ValueError(f"scheduler must {rule}, got {scheduler}: {error}") from error
    require(0 < port < 1 << 16, "scheduler", f"{rule}, its port below 65536", scheduler)


@contextmanager
def _started(count: int, scheduler: str | None, folder: Path) -> Iterator[Workers | Here]:
    if scheduler is None and count == 0:
        yield Here(folder)
        return
    if scheduler is None:
        dask.config.set({
            "distributed.scheduler.allowed-failures": LOST,
            "distributed.scheduler.worker-ttl": None,  # a busy machine's worker may be silent long
            "distributed.nanny.pre-spawn-environ": dict.fromkeys(ONE_THREAD, 1),
        })
        options: dict[str, Any] = {
            "n_workers": count, "threads_per_worker": 1, "memory_limit": 0,
            "dashboard_address": ":0", "silence_logs": logging.CRITICAL,
        }  # fmt: skip
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            yield Workers(client, folder)
        return
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        said = str(error).split("\n")[0] or type(error).__name__
        raise OSError(f"scheduler {scheduler} must be reachable, got: {said}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ValueError(f"scheduler {scheduler} must have a worker, got none") from None
        try:
            found: Any = client.run(signature)
        except (ImportError, AttributeError) as error:
            rule = f"workers of {scheduler} must have planesmith as the client has it"
            raise ValueError(f"{rule}, got: {error}") from error
        for who, mine in found.items():
            try:
                check_signature(mine, signature(), who)
            except OtherVersions as error:
                raise ValueError(str(error)) from error
        yield Workers(client, folder)
