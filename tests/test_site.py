"""The documentation as a site, and the page of results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim.results import page

ROOT = Path(__file__).parents[1]


def test_the_site_builds_with_no_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    site = tmp_path / "site"
    for part in ("tutorial", "explore", "extending", "records", "reference", "formats"):
        assert (site / part / "index.html").is_file()
    reference = (site / "reference/index.html").read_text("utf-8")
    assert "explore.api.search" in reference
    assert "Search a space" in reference


def test_results_are_the_records(tmp_path: Path) -> None:
    text = page(ROOT / "docs/records")
    ecp5 = json.loads((ROOT / "docs/records/ecp5.json").read_text())
    for name, one in ecp5.items():
        assert f"| {name} | {one['lut4']} | {one['registers']} |" in text
    assert (ROOT / "docs/records/smollm2/table.md").read_text().strip() in text
    (tmp_path / "soak.json").write_text('{"layers": 3}')
    assert "| layers | 3 |" in page(tmp_path)
    (tmp_path / "soak.json").write_text("{")
    with pytest.raises(ValueError, match=r"soak\.json must be JSON, got"):
        page(tmp_path)
    with pytest.raises(NotADirectoryError, match="must be a folder of records"):
        page(tmp_path / "none")
