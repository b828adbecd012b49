"""What the page on exploring shows: the notebook runs, and the recipes for clusters are sound."""

import re
from pathlib import Path
from typing import Any

import dask_jobqueue
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/explore.md"


@pytest.mark.filterwarnings("default")  # of the kernel's own dependencies
def test_the_notebook_runs() -> None:
    book = nbformat.read(ROOT / "docs/examples/explore.ipynb", as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    assert all(outputs)
    size = re.search(r"(\d\.\d+) MB", str(outputs[-1]))
    assert size
    assert float(size[1]) < 5
    assert "image/png" in str(outputs[-2])


@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SLURMCluster", ["#SBATCH -p normal", "#SBATCH --mem=4G", "#SBATCH -t 04:00:00"]),
        ("LSFCluster", ["#BSUB -q normal", '#BSUB -P "planesmith"', "#BSUB -W 04:00"]),
    ],
)
def test_recipes_write_job_scripts(
    name: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own lines, up to where jobs would be submitted."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if name in block]
    made: dict[str, Any] = {}
    original = getattr(dask_jobqueue, name)

    class Kept(original):
        def __init__(self, **options: Any) -> None:
            if name == "LSFCluster":
                options |= {"lsf_units": "mb", "use_stdin": True}  # else it asks LSF itself
            super().__init__(**options)
            made["script"] = self.job_script()

        def adapt(self, **options: Any) -> None:
            made["adapt"] = options

    monkeypatch.setattr(dask_jobqueue, name, Kept)
    body = code.split("\nprint(")[0] + "\ncluster.close()"
    exec(compile(body, str(PAGE), "exec"), {})
    script = made["script"]
    for line in [*wanted, "source .venv/bin/activate", "export OMP_NUM_THREADS=1"]:
        assert line in script
    assert "--nthreads 1" in script
    assert made["adapt"] == {"maximum_jobs": 32}
