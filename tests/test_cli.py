"""What command lines share: hints, one-line errors, exit statuses."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.cli import Parser, nearest, run

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ternry", ["binary", "ternary"], "did you mean ternary?"),
        ("x", ["binary", "ternary"], "there are: binary, ternary"),
        ("x", [], "there are none"),
        ("", ["a"], "there are: a"),
        ("zz", list("abcdefgh"), "there are: a, b, c, d, e, f, g, h"),
        ("zz", list("abcdefghi"), "there are: a, b, c, d, e, f, g, h, ..."),
        ("layer.1", (f"layer.{n}" for n in range(3)), "did you mean layer.1?"),
    ],
)
def test_nearest(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


def parser() -> Parser:
    parser = Parser(prog="prog")
    parser.add_argument("--size", type=int, choices={1: "one", 2: "two"})
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("show")
    show.add_argument("file")
    show.add_argument("--bits", type=int, default=8)
    return parser


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["shew"], r"argument COMMAND: invalid choice: 'shew' \(choose from .*show.*\)"),
        (["show"], "the following arguments are required: file"),
        (["show", "x", "--bits", "many"], "argument --bits: invalid int value: 'many'"),
        (["show", "x", "--bats", "1"], "unrecognized arguments: --bats 1"),
        (["--size", "3", "show", "x"], r"argument --size: invalid choice: 3 \(choose from 1, 2\)"),
    ],
)
def test_wrong_arguments(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", *arguments])
    with pytest.raises(ValueError, match=f"^{text}$"):
        parser().parse_args()
    assert capsys.readouterr() == ("", "")


def test_right_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", "--size", "2", "show", "x"])
    assert vars(parser().parse_args()) == {"size": 2, "file": "x", "bits": 8}


def ends(command: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run("prog", command)
    assert isinstance(ended.value.code, int)
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        print("before")
        raise error

    return command


def test_good_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(lambda: print("done"), capsys) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("bits must be 2, got 1"), "bits must be 2, got 1"),
        (ValueError("two\n  lines\tand  spaces "), "two lines and spaces"),
        (FileNotFoundError("x must exist, got none"), "x must exist, got none"),
        (FileNotFoundError(2, "No such file or directory", "x"), "x: No such file or directory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "'utf-8' codec .* 0: bad"),
    ],
)
def test_errors_of_the_user(
    capsys: pytest.CaptureFixture[str], error: Exception, line: str
) -> None:
    status, out, err = ends(raising(error), capsys)
    assert (status, out) == (2, "before\n")
    assert re.fullmatch(f"prog: error: {line}\n", err)


def test_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(raising(KeyboardInterrupt()), capsys) == (130, "before\n", "prog: interrupted\n")


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AssertionError("x")])
def test_our_own_errors_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run("prog", raising(error))
    assert caught.value is error


def test_status_of_the_command_itself() -> None:
    with pytest.raises(SystemExit) as ended:
        run("prog", raising(SystemExit(5)))
    assert ended.value.code == 5


PRINTING = """
from models.cli import run
def command():
    for n in range({lines}):
        print("line", n)
    {then}
run("prog", command)
"""


def printing(lines: int, output: int, then: str = "pass") -> tuple[int, str]:
    """Run a command that prints, as a process with buffered output; return status and errors."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", PRINTING.format(lines=lines, then=then)],
        cwd=ROOT, env=environment, stdout=output, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("lines", [3, 30000])
def test_reader_that_has_gone(lines: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert printing(lines, writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.parametrize("lines", [3, 30000])
def test_output_to_a_full_disk(lines: int) -> None:
    with Path("/dev/full").open("w") as full:
        error = "prog: error: [Errno 28] No space left on device\n"
        assert printing(lines, full.fileno()) == (2, error)


def test_output_before_an_error_is_not_lost(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        status = printing(2, file.fileno(), "raise ValueError('x must be y')")
    assert status == (2, "prog: error: x must be y\n")
    assert (tmp_path / "out").read_text() == "line 0\nline 1\n"
