"""``python -m sim generate``: what it prints, and one clear line for each bad input."""

import json
from pathlib import Path

import pytest
import tiny

import sim.__main__
from models.cli import run
from models.codes import Activation
from models.formats import parse
from models.llm import load
from models.quantize import choose, quantize_model

SMALL = ["--pe", "4", "--lanes", "8"]
FIRST = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    llama = tiny.save(tmp_path_factory.mktemp("llama"))
    made = llama.parent / "layers.safetensors"
    info = {"model": str(llama), "format": "signs"}
    llm = load(str(llama))
    quantize_model(llm, choose(llm), parse("signs:k=2,group=16"), Activation(), made, info)
    return made


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """Run ``python -m sim generate``; return its exit status, output and last line of errors."""
    monkeypatch.setattr("sys.argv", ["sim", "generate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run(sim.__main__.PROGRAM, sim.__main__.main)
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, (err.splitlines() or [""])[-1]


def test_text_figures_and_recording(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [file, "--prompt", "on two n", "--tokens", "3", *SMALL, "--check"]
    recording = tmp_path / "recording.svg"
    status, out, _ = call(monkeypatch, capsys, *arguments, "--recording", recording)
    assert status == 0
    text, report = out.split("\n\n", 1)
    assert "3 tokens read in " in report
    assert " integers equal\npredicted: " in report
    drawn = recording.read_text()
    assert "--check</text>" in drawn
    assert "--recording" not in drawn
    status, out, _ = call(monkeypatch, capsys, *arguments, "--json")
    figures = json.loads(out)
    assert (status, figures["text"], figures["unequal"]) == (0, text, 0)
    assert set(figures["predicted_tokens_per_second"]) == {"decode", "prefill"}
    assert figures["decode_cpu_seconds"] >= 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--prompt", "on " * 20], "prompt must have at most 13 tokens before 3 more, got 20"),
        (["--prompt", ""], "prompt must have at least one token, got ''"),
        (["--tokens", "0"], "tokens must be 1 or more, got 0"),
        (["--engines", "0"], "engines must be 1 or more, got 0"),
        (["--memory", "ddr9"], "memory must be a known part (there are: ddr3-1600x16, "),
        (["--kv-bits", "5"], "kv_bits must be 4, 8, 16 or 32, got 5"),
        (["--host-rate", "0"], "host rate must be above 0 operations a cycle, got 0.0"),
        (
            ["--columns", "16"],
            f"layer {FIRST}: inputs of the layer must fit the activation buffer of 2 words, got 4",
        ),
        (["--k", "1"], "k of the layer must be at most the circuit's 1, got 2"),
        (["--kind", "addsub", "--k", "3"], "k must be even for ternary weights"),
    ],
)
def test_refusals(
    file: Path, arguments: list[str], line: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    plain = ["--prompt", "on two", "--tokens", "3", *SMALL]
    status, out, found = call(monkeypatch, capsys, file, *plain, *arguments)
    assert (status, out) == (2, "")
    assert found.startswith("python -m sim: error: ")
    assert line in found


def test_refused_files(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ["--prompt", "on two", "--tokens", "3", *SMALL]
    other = tiny.save(tmp_path / "neox", "gpt_neox")
    status, _, found = call(monkeypatch, capsys, file, "--model", other, *plain)
    assert (status, found.partition(", got")[0]) == (
        2, f"python -m sim: error: {file} must hold layers of neox",
    )  # fmt: skip
    status, _, found = call(monkeypatch, capsys, tmp_path / "none", *plain)
    assert (status, "must be a bitplane file, got none" in found) == (2, True)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-100])
    status, _, found = call(monkeypatch, capsys, cut, *plain)
    assert (status, str(cut) in found) == (2, True)


def test_no_compiler(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing built yet
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = ["--prompt", "on two", "--tokens", "3", *SMALL]
    status, out, found = call(monkeypatch, capsys, file, *plain)
    assert (status, out) == (2, "")
    assert "found none; install it with: apt-get install" in found
