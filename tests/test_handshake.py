"""Pictures of handshakes: the committed ones are of a run, and show what passed in it."""

from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("yowasp_wavedrom", reason="pictures need the package yowasp-wavedrom")

from sim.handshake import CIRCUIT, Beat, Observed, job_of, observe, picture, pictures, shown
from sim.jobs import to_integers

FOLDER = Path(__file__).parents[1] / "docs" / "records" / "handshake"
SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
LEVELS = {"000": "0", "111": "1", "xxx": "none", "vvv-3": "waits", "vvv-4": "passes"}
"""Of the bricks that WaveDrom puts together: what the last of the four of a cycle shows."""


@cache
def seen() -> Observed:
    return observe(CIRCUIT, job_of(CIRCUIT, 1), 1)


def drawn(text: str) -> tuple[list[list[str]], list[list[str]]]:
    """Read from SVG the levels of each signal in each cycle, and the texts in its boxes."""
    levels, texts = [], []
    for group in ElementTree.fromstring(text).iter(f"{SVG}g"):
        if group.get("id", "").startswith("wavelane_draw_"):
            bricks = [use.get(HREF, "").removeprefix("#") for use in group.iter(f"{SVG}use")]
            levels.append([LEVELS[brick] for brick in bricks[3::4]])
            texts.append(["".join(box.itertext()) for box in group.iter(f"{SVG}text")])
    return levels[1:], texts[1:]  # the first is the clock


def passed(name: str) -> list[str]:
    return [shown(name, one.payload, CIRCUIT) for one in seen().streams[name]
            if one.valid and one.ready]  # fmt: skip


@pytest.mark.parametrize("name", ["inputs", "results"])
def test_committed_picture_is_of_a_run(name: str) -> None:
    again = "write it again with: python -m sim handshake -o docs/records/handshake"
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == pictures(1)[name], again


@pytest.mark.parametrize(
    ("name", "streams", "first"), [("inputs", ("i_weights", "i_activations"), 0),
                                   ("results", ("o",), 22)],
)  # fmt: skip
def test_picture_shows_what_the_ports_had(name: str, streams: tuple[str, ...], first: int) -> None:
    levels, texts = drawn((FOLDER / f"{name}.svg").read_text("utf-8"))
    for number, stream in enumerate(streams):
        valid, ready, payload = levels[3 * number : 3 * number + 3]
        beats = seen().streams[stream][first : first + len(valid)]
        assert valid == [str(int(one.valid)) for one in beats]
        assert ready == [str(int(one.ready)) for one in beats]
        assert payload == ["passes" if one.valid and one.ready else "waits" if one.valid else "none"
                           for one in beats]  # fmt: skip
        words = list(texts[3 * number + 2])
        for one, state, before in zip(beats, payload, ["none", *payload], strict=False):
            if state == "passes" or (state == "waits" and before != "waits"):
                assert words.pop(0) == shown(stream, one.payload, CIRCUIT)
        assert not words


def test_results_are_those_of_the_reference() -> None:
    """Every integer that passed, and those of the picture first."""
    wanted = [str(one) for one in seen().job.expected().flatten()]
    assert [text.removesuffix(" last") for text in passed("o")] == wanted
    levels, texts = drawn((FOLDER / "results.svg").read_text("utf-8"))
    boxes = [text.removesuffix(" last") for text in texts[2]]
    assert list(dict.fromkeys(boxes)) == wanted[: levels[2].count("passes")]


def test_weights_are_those_of_the_image() -> None:
    words, times = seen().job.feeds(CIRCUIT)["weights"]
    assert passed("i_weights") == [shown("i_weights", one, CIRCUIT)
                                   for one in to_integers(words) * times]  # fmt: skip


def test_pictures_have_stalls() -> None:
    """Words wait, and stay as they are meanwhile; sources pause."""
    for name in ("i_weights", "o"):
        beats = seen().streams[name]
        waits = [n for n, one in enumerate(beats[:-1]) if one.valid and not one.ready]
        assert waits
        assert all(beats[n + 1].valid and beats[n + 1].payload == beats[n].payload for n in waits)
    (inputs, _), (results, _) = (drawn(pictures(1)[name]) for name in ("inputs", "results"))
    assert "waits" in inputs[2]
    assert "none" in inputs[2][1:]
    assert results[2].count("waits") > 3


def test_another_payload_is_another_picture() -> None:
    beats = seen().streams["o"]
    first = next(n for n, one in enumerate(beats) if one.valid)
    streams = {"o": [*beats[:first], Beat(True, False, 3), *beats[first + 1 :]]}
    other = Observed(streams, CIRCUIT, seen().job)
    cycles = range(first, first + 4)
    assert picture(other, ("o",), cycles) != picture(seen(), ("o",), cycles)
