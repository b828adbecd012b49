"""Files of layers are written whole or not at all."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from stored import every_kind, save_one

from models.bitplane import BitplaneLayer
from models.store import save
from models.tensors import TensorWriter


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return save_one(tmp_path)


def test_unwritable_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "no" / "f", tmp_path / "file" / "f", Path("/proc/f")):
        with pytest.raises(OSError, match=f"^{path} must be writable, got: .*$"):
            save(path, every_kind(0), {})
    with pytest.raises(IsADirectoryError, match=f"^{tmp_path} must be a file, got a folder$"):
        save(tmp_path, every_kind(0), {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [5, 200, 5000])
def test_full_disk(one: Path, size: int) -> None:
    before = one.read_bytes()
    with largest_file(size), pytest.raises(OSError, match=f"^{one} must be writable, got: .*$"):
        save(one, every_kind(0), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_interruption(
    one: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def write_half(_: TensorWriter, file: IO[bytes], metadata: dict[str, str]) -> None:
        file.write(json.dumps(metadata).encode()[:1000])
        raise stop

    before = one.read_bytes()
    monkeypatch.setattr(TensorWriter, "write", write_half)
    with pytest.raises(stop):
        save(one, every_kind(0), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]


def test_interrupted_source_of_layers(one: Path) -> None:
    def layers() -> Iterator[BitplaneLayer]:
        yield every_kind(0)[0]
        raise KeyboardInterrupt

    before = one.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        save(one, layers(), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]
