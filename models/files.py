"""Files and folders that appear whole or not at all, and users' TOML."""

import errno
import fcntl
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Errors of a write for which there is no room."""


def read_toml(file: Path) -> dict[str, Any]:
    """Read a user's TOML file.

    Raises
    ------
    ValueError
        It is no TOML.
    OSError
        There is no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} must be a TOML file, got none")
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} must be TOML, got: {error}") from error


def check_output(path: Path) -> None:
    """Check that a file can be written: before the work that makes it.

    Raises
    ------
    OSError
        As :func:`whole_file`.
    """
    _beside(path).unlink()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; it becomes ``path`` when the block ends without an error.

    The temporary file lies beside ``path``, so the last step is one atomic rename. On any error,
    an interrupt included, it is removed and an older ``path`` stays as it was.

    Raises
    ------
    OSError
        The folder is missing, full or cannot be written, or ``path`` is a folder or a device.
    """
    part = _beside(path)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise _blamed(path, error) from error
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_set(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; its files move to ``folder`` when the block ends well.

    A new ``folder`` appears by one rename. In one that exists, files of the same names are
    replaced, each by a rename and only after all have been written; other files stay.

    Raises
    ------
    OSError
        The parent folder is missing or cannot be written, or ``folder`` is a file.
    """
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} must be a folder, got a file")
    beside = folder if folder.exists() else folder.parent
    with blaming(folder):
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=beside))
    try:
        yield part
        part.chmod(0o755)
        if folder.exists():
            for file in sorted(part.iterdir()):
                file.replace(folder / file.name)
        else:
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Say that ``path``, not some temporary name beside it, cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # it has its line already
            raise
        raise _blamed(path, error) from error


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same out of a folder; wait for the one that is in."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _beside(path: Path) -> Path:
    """Make an empty temporary file beside the one that is to be written."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file, got a folder")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} must be a file, got a device or pipe")
    with blaming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    return Path(name)


def _blamed(path: Path, error: OSError) -> OSError:
    return type(error)(f"{path} must be writable, got: {error.strerror}")
