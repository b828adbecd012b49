"""Exploration in one call, for the command and for notebooks."""

from collections.abc import Callable
from pathlib import Path

from cost.measured import RECORDS as GPU_RECORDS
from explore.before import answers_before
from explore.result import Result, result_of, write_result
from explore.run import Plan, Progress, explore
from explore.space import Space
from explore.workers import workers
from models.checks import require
from models.kept import Kept, kept_folder

RECORDS = Path("docs/records/smollm2")
"""Committed records of ``models compare``."""


def search(
    space: Space,
    plan: Plan | None = None,
    folder: Path | None = None,
    *,
    records: Path = RECORDS,
    gpu_records: Path = GPU_RECORDS,
    kept: Path | None = None,
    count: int = 2,
    scheduler: str | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Result:
    """Search a space; what an earlier search found, or a stopped one, is not done again.

    Parameters
    ----------
    plan : Plan, optional
        How far and how much; prices alone by default.
    folder : Path, optional
        Takes ``run.json``, whole after each answer; an older one of the same space stays until
        all its answers are among the new ones.
    records : Path
        Folder with records of ``models compare``; it need not exist.
    gpu_records : Path
        Folder with records of ``models.gpu record``; likewise.
    kept : Path, optional
        Of answers; by default that of all programs of this user.
    count : int
        Processes; 0 for this one alone.
    scheduler : str, optional
        Address of a Dask scheduler, in place of processes here.
    say : callable
        Told what is done, line by line.

    Raises
    ------
    ValueError, OSError
        As :func:`explore.run.explore` does; ``folder`` cannot be written; or it has answers that
        this search does not come to, or those of another space.
    """
    plan, answers = plan or Plan(), Kept(kept or kept_folder())
    some = workers(count, scheduler, answers.folder)
    before = answers_before(folder, space, say) if folder is not None else frozenset[str]()

    def save(progress: Progress) -> None:
        if folder is not None and before <= progress.answered:
            write_result(result_of(progress, plan, gpu_records), folder)

    progress = explore(space, plan, records, answers, lambda: some, save, say, bool(before))
    save(progress)
    rule = f"keep its {len(before)} answers (or give another -o)"
    lost = len(before - progress.answered)
    require(not lost, str(folder), rule, f"a search that does not come to {lost} of them")
    return Result(result_of(progress, plan, gpu_records))
