"""Workers: where tasks run, by Dask; on this machine, or behind a scheduler that is there."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from explore.task import Outcome, OtherVersions, Task, check_signature, perform, signature
from models.checks import require

PATIENCE = 20
"""Seconds that a scheduler may take to answer, and to have a worker."""

LOST = 3
"""Workers that may be lost with a task before it counts as failed."""


class Workers:
    """Tasks' way to processes.

    Attributes
    ----------
    folder : Path
        Of answers; workers must see it under the same path, or they do not share what they know.
    """

    def __init__(self, client: "Client", folder: Path) -> None:
        self._client, self.folder = client, folder

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """Give outcomes with the places of their tasks, as they come.

        A worker that is lost has its tasks done by others.

        Raises
        ------
        OtherVersions
            A worker has other versions than this process.
        """
        from distributed import KilledWorker, as_completed

        futures = {
            self._client.submit(
                perform, task, str(self.folder), signature(), pure=False, retries=0
            ): place
            for place, task in enumerate(tasks)
        }
        for future in as_completed(list(futures)):
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


@contextmanager
def workers(count: int, scheduler: str | None, folder: Path) -> Iterator[Workers]:
    """Start so many workers on this machine, or use those of a scheduler.

    Raises
    ------
    ValueError
        The scheduler has no worker, or one with other versions; or the count is below 1.
    OSError
        It cannot be reached.
    """
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"distributed.scheduler.allowed-failures": LOST})
    if scheduler is None:
        require(count >= 1, "workers", "be 1 or more", count)
        with (
            LocalCluster(
                n_workers=count, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            yield Workers(client, folder)
        return
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, asyncio.TimeoutError, ValueError) as error:
        said = str(error).split("\n")[0] or type(error).__name__
        raise OSError(f"scheduler {scheduler} must be reachable, got: {said}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ValueError(f"scheduler {scheduler} must have a worker, got none") from None
        for who, mine in client.run(signature).items():
            try:
                check_signature(mine, signature(), who)
            except OtherVersions as error:
                raise ValueError(str(error)) from error
        yield Workers(client, folder)
