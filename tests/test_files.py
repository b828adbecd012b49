"""Files and folders appear whole or not at all."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from models.files import alone_in, check_output, whole_file, whole_set

STOPS = [ValueError, KeyboardInterrupt, SystemExit]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("old", [None, "old"])
def test_file_appears_at_the_end(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "file"
    if old:
        path.write_text(old)
    with whole_file(path) as part:
        assert part.parent == tmp_path
        part.write_text("new")
        assert (path.read_text() if path.exists() else None) == old
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("old", [None, "old"])
def test_broken_off_file(tmp_path: Path, stop: type[BaseException], old: str | None) -> None:
    path = tmp_path / "file"
    if old:
        path.write_text(old)

    def write_half() -> None:
        with whole_file(path) as part:
            part.write_text("ne")
            raise stop

    with pytest.raises(stop):
        write_half()
    assert names(tmp_path) == (["file"] if old else [])
    assert old is None or path.read_text() == old


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as one, whole_file(path) as two:
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"  # the one that ends last
    assert names(tmp_path) == ["file"]


def test_new_folder_appears_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with whole_set(folder) as part:
        (part / "a").write_text("1")
        (part / "b").mkdir()
        assert not folder.exists()
    assert names(folder) == ["a", "b"]
    assert folder.stat().st_mode & 0o777 == 0o755
    assert names(tmp_path) == ["set"]


def test_files_of_a_folder_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "z").write_text("other")
    with whole_set(tmp_path) as part:
        (part / "a").write_text("new")
        (part / "b").write_text("more")
        assert (tmp_path / "a").read_text() == "old"
        assert not (tmp_path / "b").exists()
    assert names(tmp_path) == ["a", "b", "z"]
    assert [(tmp_path / name).read_text() for name in "abz"] == ["new", "more", "other"]


@pytest.mark.parametrize("stop", STOPS)
def test_broken_off_folders(tmp_path: Path, stop: type[BaseException]) -> None:
    def write_half(folder: Path) -> None:
        with whole_set(folder) as part:
            (part / "a").write_text("new")
            raise stop

    (tmp_path / "a").write_text("old")
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(stop):
            write_half(folder)
        assert names(tmp_path) == ["a"]
        assert (tmp_path / "a").read_text() == "old"


def test_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with whole_set(Path("set")) as part:
        (part / "a").touch()
    with whole_file(Path("file")) as part:
        part.touch()
    assert names(tmp_path) == ["file", "set"]


@pytest.mark.parametrize("whole", [whole_file, whole_set])
def test_unwritable_places(
    tmp_path: Path, whole: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    (tmp_path / "file").touch()
    for path, error, why in (
        (tmp_path / "no" / "x", FileNotFoundError, "No such file or directory"),
        (tmp_path / "file" / "x", NotADirectoryError, "Not a directory"),
        (Path("/proc/x"), OSError, ".*"),
    ):
        text = f"^{re.escape(str(path))} must be writable, got: {why}$"
        with pytest.raises(error, match=text), whole(path):
            pytest.fail("there must be nothing to write to")
    assert names(tmp_path) == ["file"]


def test_a_device_is_not_replaced() -> None:
    """A rename would put a plain file in its place."""
    line = "^/dev/null must be a file, got a device or pipe$"
    with pytest.raises(OSError, match=line), whole_file(Path("/dev/null")):
        pytest.fail("there must be nothing to write to")


def test_outputs_are_checked_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for path, why in (
        ("", "must be a file, got a folder"),
        (".", "must be a file, got a folder"),
        ("..", "must be a file, got a folder"),
        (str(tmp_path), "must be a file, got a folder"),
        ("/dev/null", "must be a file, got a device or pipe"),
        ("pipe", "must be a file, got a device or pipe"),
        ("no/x", "must be writable, got: No such file or directory"),
        ("pipe/x", "must be writable, got: Not a directory"),
    ):
        with pytest.raises(OSError, match=f"^{re.escape(str(Path(path)))} {why}$"):
            check_output(Path(path))
    Path("old").write_text("stays")
    for name in ("old", "new"):
        check_output(Path(name))
    assert names(tmp_path) == ["old", "pipe"]
    assert Path("old").read_text() == "stays"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_names_the_file(tmp_path: Path, number: int) -> None:
    path = tmp_path / "file"
    line = f"^{path} must be writable, got: {os.strerror(number)}$"
    with pytest.raises(OSError, match=line), whole_file(path):
        raise OSError(number, os.strerror(number))
    with pytest.raises(OSError, match="other") as other, whole_file(path):
        raise OSError(errno.EIO, "other")
    assert other.value.errno == errno.EIO


def test_files_and_folders_are_not_confused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotADirectoryError, match=r"^.*/file must be a folder, got a file$"),
        whole_set(tmp_path / "file"),
    ):
        pytest.fail("there must be nothing to write to")
    with (
        pytest.raises(IsADirectoryError, match=f"^{tmp_path} must be a file, got a folder$"),
        whole_file(tmp_path),
    ):
        pytest.fail("there must be nothing to write to")
    assert names(tmp_path) == ["file"]


def test_alone_in_a_folder(tmp_path: Path) -> None:
    code = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w')\n"
        "try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError: sys.exit(3)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".lock")]
    with alone_in(tmp_path):
        assert subprocess.run(command).returncode == 3
    assert subprocess.run(command).returncode == 0
