"""Answers kept on disk under what decides them: nothing is computed twice, nothing broken believed.

A question is plain data: inputs, versions of tools, a digest of the code that matters. Its answer
lies in a file named by the question's digest and holds both with a digest of its own, so a file
that was cut short, changed or belongs to another question counts as none.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from models.files import alone_in, whole_file

SOURCES = (".py", ".toml", ".json", ".cpp", ".h")
"""Endings of files that code is made of."""


def kept_folder() -> Path:
    """Folder for answers: ``$XDG_CACHE_HOME/planesmith/kept``; ``~/.cache`` without the variable.

    It need not exist yet.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "planesmith" / "kept"


def digest_of(value: Any) -> str:
    """Return a hash of plain data, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


@cache
def code_digest(*packages: str) -> str:
    """Return a hash of all sources of packages or files of ours, by name and content."""
    root, found = Path(__file__).parents[1], sha256()
    for package in packages:
        place = root / package
        every = [place] if place.is_file() else place.rglob("*")
        files = (file for file in every if file.suffix in SOURCES)
        for file in sorted(files):
            found.update(f"{file.relative_to(root).as_posix()}\0".encode())
            found.update(sha256(file.read_bytes()).digest())
    return found.hexdigest()[:32]


class Kept:
    """Answers in a folder, which any number of programs may share.

    Attributes
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, question: Any) -> Any | None:
        """Return the answer to a question; None where there is none, or none that is whole."""
        try:
            found = json.loads(self._file(question).read_text("utf-8"))
            sound = found["question"] == question and found["digest"] == _seal(found)
        except (OSError, ValueError, TypeError, LookupError):
            return None
        return found["answer"] if sound else None

    def keep(self, question: Any, answer: Any) -> None:
        """Keep an answer, which is plain data.

        Raises
        ------
        OSError
            It cannot be written; an older answer stays.
        """
        file, entry = self._file(question), {"question": question, "answer": answer}
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as part:
            text = json.dumps(entry | {"digest": _seal(entry)}, indent=1)
            part.write_text(text + "\n", "utf-8")

    def ask(self, question: Any, compute: Callable[[], Any]) -> Any:
        """Return the kept answer; else compute it, while others that ask for it wait, and keep it.

        An answer that cannot be kept, on a full disk for example, is returned all the same.
        """
        found = self.find(question)
        if found is not None:
            return found
        try:
            own = self._file(question).with_suffix(".lock")
            own.mkdir(parents=True, exist_ok=True)
        except OSError:
            return compute()
        with alone_in(own):
            found = self.find(question)
            if found is None:
                found = compute()
                with suppress(OSError):
                    self.keep(question, found)
        return found

    def trouble(self) -> str:
        """Return why nothing can be kept here; no word where it can."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.folder):
                return ""
        except OSError as error:
            return error.strerror or type(error).__name__

    def _file(self, question: Any) -> Path:
        name = digest_of(question)
        return self.folder / name[:2] / f"{name}.json"


def _seal(entry: Any) -> str:
    return digest_of([entry["question"], entry["answer"]])
