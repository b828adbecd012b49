"""Recordings show every character, where and when it came."""

import re
from pathlib import Path
from xml.etree import ElementTree

from sim.recording import COLUMNS, record

TEXT = "{http://www.w3.org/2000/svg}text"


def test_pieces_are_placed_and_timed(tmp_path: Path) -> None:
    file = tmp_path / "recording.svg"
    record([(0.0, "$ run <it>\n"), (1.5, "one"), (2.25, " two\n\n"), (3.0, "x" * 100)], file)
    found = [
        (
            "".join(text.itertext()),
            text.attrib["x"],
            text.attrib["y"],
            [s.attrib["end"] for s in text],
        )
        for text in ElementTree.parse(file).iter(TEXT)
    ]
    assert [text for text, *_ in found] == ["$ run <it>", "one", " two", "x" * COLUMNS, "x" * 8]
    assert [ends for *_, ends in found] == [[], ["1.50s"], ["2.25s"], ["3.00s"], ["3.00s"]]
    assert len({y for _, _, y, _ in found}) == 4  # the empty line has none
    assert float(found[2][1]) > float(found[1][1])
    assert re.search(r'viewBox="0 0 \d+ \d+"', file.read_text())


def test_spaces_alone_are_not_drawn_but_count(tmp_path: Path) -> None:
    file = tmp_path / "recording.svg"
    record([(0.0, "   "), (1.0, "a")], file)
    (only,) = ElementTree.parse(file).iter(TEXT)
    assert float(only.attrib["x"]) > 3 * 8
