"""A journal gives back what it was given, as far as a killed run got."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sim.journal import Journal

KEYS = [bytes([n]) * 32 for n in range(4)]
ARRAYS = [np.arange(6).reshape(2, 3) - 3, np.zeros((1, 1), np.int64), np.full((3, 2), -(2**47))]


def write(path: Path) -> bytes:
    """Write three records as a run that is killed; return the file."""
    with closing(Journal(path)) as journal:
        for key, array in zip(KEYS, ARRAYS, strict=False):
            assert journal.take(key) is None
            journal.add(key, array)
    return path.read_bytes()


def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path)
    with Journal(path) as journal:
        for key, array in zip(KEYS, ARRAYS, strict=False):
            got = journal.take(key)
            assert got is not None
            assert (got == array).all()
        assert journal.take(KEYS[3]) is None
        assert journal.found == 3
    assert not path.exists()


@pytest.mark.parametrize("cut", [1, 30, 60, 90, 140])
def test_torn_record_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    path.write_bytes(whole[:-cut])
    with closing(Journal(path)) as journal:
        kept = 0
        while kept < 3 and journal.take(KEYS[kept]) is not None:
            kept += 1
        assert kept < 3
        for key, array in list(zip(KEYS, ARRAYS, strict=False))[kept:]:
            journal.add(key, array)
    assert path.read_bytes() == whole


def test_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = bytearray(write(path))
    whole[60] ^= 1
    path.write_bytes(whole)
    with closing(Journal(path)) as journal:
        assert journal.take(KEYS[0]) is None


def test_another_run_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path)
    with closing(Journal(path)) as journal:
        assert journal.take(KEYS[0]) is not None
        assert journal.take(KEYS[3]) is None
        assert journal.take(KEYS[1]) is None
        journal.add(KEYS[3], ARRAYS[1])
    with closing(Journal(path)) as again:
        assert [again.take(key) is not None for key in (KEYS[0], KEYS[3], KEYS[2])] == [1, 1, 0]


def fail(path: Path) -> None:
    with Journal(path) as journal:
        journal.add(KEYS[0], ARRAYS[0])
        raise KeyboardInterrupt


def test_stays_when_the_run_fails(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        fail(path)
    with closing(Journal(path)) as journal:
        assert journal.take(KEYS[0]) is not None


def test_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^.*none/journal must be writable, got: No such file.*$"):
        Journal(tmp_path / "none" / "journal")
