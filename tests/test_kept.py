"""Kept answers: computed once, whole or none, whoever asks."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.kept import Kept, code_digest, digest_of

QUESTION = {"stage": "x", "inputs": [1, 2.5, "é"]}


def file_of(kept: Kept) -> Path:
    (file,) = kept.folder.rglob("*.json")
    return file


def test_an_answer_is_computed_once(tmp_path: Path) -> None:
    kept, calls = Kept(tmp_path), []
    for _ in range(3):
        assert kept.ask(QUESTION, lambda: calls.append(1) or {"y": 1}) == {"y": 1}
    assert len(calls) == 1
    assert kept.find({**QUESTION, "stage": "z"}) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace('"y": 1', '"y": 2'),
        lambda text: text.replace('"x"', '"w"'),
        lambda text: json.dumps({"answer": {"y": 2}}),
        lambda text: "[]",
        lambda text: text.replace('"digest": "', '"digest": "0'),
    ],
)
def test_a_spoilt_entry_is_computed_again(tmp_path: Path, spoil) -> None:
    kept = Kept(tmp_path)
    kept.keep(QUESTION, {"y": 1})
    file = file_of(kept)
    file.write_text(spoil(file.read_text("utf-8")), "utf-8")
    assert kept.find(QUESTION) is None
    assert kept.ask(QUESTION, lambda: {"y": 1}) == {"y": 1}
    assert kept.find(QUESTION) == {"y": 1}


def test_an_entry_of_another_question_is_none(tmp_path: Path) -> None:
    kept, other = Kept(tmp_path / "a"), Kept(tmp_path / "b")
    kept.keep(QUESTION, {"y": 1})
    other.keep({"stage": "other"}, {"y": 9})
    shutil.copy(file_of(other), file_of(kept))
    assert kept.find(QUESTION) is None


def test_an_answer_that_cannot_be_kept_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Kept(tmp_path / "file").ask(QUESTION, lambda: {"y": 1}) == {"y": 1}


def test_a_full_disk_loses_no_answer(tmp_path: Path) -> None:
    """No file may grow, as on a full disk; the answer comes all the same, nothing half is left."""
    code = (
        "import resource, sys; from pathlib import Path; from models.kept import Kept\n"
        "kept = Kept(Path(sys.argv[1])); kept.folder.mkdir()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))\n"
        "sys.exit(0 if kept.ask({'q': 1}, lambda: {'y': 'z' * 100}) == {'y': 'z' * 100} else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "kept")], check=False)
    assert done.returncode == 0
    assert [path for path in (tmp_path / "kept").rglob("*") if path.suffix == ".json"] == []


def test_programs_that_ask_at_once_compute_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from models.kept import Kept\n"
        "log = Path(sys.argv[1]) / 'log'\n"
        "def compute():\n"
        "    log.open('a').write('x'); time.sleep(0.5); return 1\n"
        "print(Kept(Path(sys.argv[1]) / 'kept').ask({'q': 1}, compute))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [run.communicate()[0].strip() for run in runs] == [b"1"] * 3
    assert (tmp_path / "log").read_text() == "x"


def test_digests() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1, "b": 3})
    assert code_digest("cost") == code_digest("cost") != code_digest("cost", "models/kept.py")
    with pytest.raises(ValueError, match="JSON"):
        digest_of(float("nan"))
