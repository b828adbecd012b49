"""The command lines: what they print, and one clear line and exit status 2 for bad input."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

import hwgen.__main__
import models.__main__
import sim.__main__
from models.cli import run
from models.codes import Activation
from models.formats import FORMATS
from models.notes import say_once
from models.quantize import parts_of
from models.store import open_layers

SMALL = ["--pe", "4", "--lanes", "8", "--columns", "64"]
LAYER = "layers.1.mlp.down_proj"

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a command line in this process; return its exit status, output and errors."""

    def command(module: str, *arguments: object) -> tuple[int, str, str]:
        main = {"hwgen": hwgen.__main__, "models": models.__main__, "sim": sim.__main__}[module]
        monkeypatch.setattr(sys, "argv", [module, *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(main.PROGRAM, main.main)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return command


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def layers(llama: Path) -> Path:
    """File of the quantized tiny model."""
    file = llama.parent / "layers.safetensors"
    arguments = ["quantize", str(llama), "--format", "signs:k=2,group=16", "-o", str(file)]
    done = subprocess.run([sys.executable, "-m", "models", *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr
    return file


def error(result: tuple[int, str, str], program: str) -> str:
    """Return the one line of an error; the exit status must be 2 and nothing else printed."""
    status, out, err = result
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]  # progress bars may come before
    assert err.rstrip("\n").count("\n") == 0 or "%" in err
    assert line.startswith(f"python -m {program}: error: ")
    return line.removeprefix(f"python -m {program}: error: ")


def test_generator_prints_verilog_only(call: Call) -> None:
    status, out, err = call("hwgen", "--k", 3, *SMALL)
    assert (status, err) == (0, "")
    assert out.startswith("module ")
    assert out.endswith("endmodule\n")


def test_generator_writes_the_set(call: Call, tmp_path: Path) -> None:
    status, out, err = call("hwgen", *SMALL, "-o", tmp_path / "set")
    assert (status, out, err) == (0, "", "")
    assert json.loads((tmp_path / "set" / "config.json").read_text())["pe"] == 4
    (tmp_path / "set" / "mine.txt").write_text("stays")
    assert call("hwgen", *SMALL, "--k", 1, "-o", tmp_path / "set")[0] == 0
    assert json.loads((tmp_path / "set" / "config.json").read_text())["k"] == 1
    names = sorted(file.name for file in (tmp_path / "set").iterdir())
    assert names == [
        "config.json", "diagram.svg", "mine.txt", "planesmith.core", "ports.md", "top.v",
    ]  # fmt: skip
    assert call("hwgen", *SMALL, "--bus", "axi", "-o", tmp_path / "axi")[0] == 0
    names = {file.name for file in (tmp_path / "axi").iterdir()}
    assert names > {"registers.md", "planesmith_registers.h", "planesmith_registers.py"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--stream-bits", "32"],
            "stream_bits must be 0 on plain streams (or use --bus axi), got 32",
        ),
        (["--lanes", "0"], "lanes must be from 1 to 1024, got 0"),
        (["--pe", "x"], "argument --pe: invalid int value: 'x'"),
        (["--planes", "3"], "unrecognized arguments: --planes 3"),
        (["--act-bits", "1"], "act_bits must be 2 or more for signed activations, got 1"),
    ],
)
def test_generator_refuses(call: Call, arguments: list[str], line: str) -> None:
    assert error(call("hwgen", *arguments), "hwgen") == line


def test_unwritable_folder(call: Call, tmp_path: Path, llama: Path) -> None:
    inside = tmp_path / "missing" / "set"
    line = f"{inside} must be writable, got: No such file or directory"
    assert error(call("hwgen", *SMALL, "-o", inside), "hwgen") == line
    assert not inside.parent.exists()
    blocked = tmp_path / "file"
    blocked.touch()
    line = f"{blocked} must be a folder, got a file"
    assert error(call("hwgen", *SMALL, "-o", blocked), "hwgen") == line
    file = tmp_path / "missing" / "layers.safetensors"
    found = error(call("models", "quantize", llama, "--format", "ternary", "-o", file), "models")
    assert found == f"{file} must be writable, got: No such file or directory"


def test_quantize_and_show(call: Call, layers: Path) -> None:
    status, out, err = call("models", "show", layers, "--json")
    assert (status, err) == (0, "")
    shown = json.loads(out)
    assert len(shown["layers"]) == 14
    assert shown["info"]["format"] == "signs:k=2,group=16"
    bits = sum(layer["stored_bits"] for layer in shown["layers"])
    assert shown["bits_per_weight"] == round(bits / shown["weights"], 4)
    assert call("models", "show", layers)[1].endswith(
        f"14 layers, {shown['weights']} weights, {bits / shown['weights']:.3f} bits/weight\n"
    )


def test_formats_are_listed(call: Call) -> None:
    status, out, err = call("models", "formats")
    assert (status, err) == (0, "")
    names = [line.split(":")[0] for line in out.splitlines()]
    assert {"sbvr", "signs", "ternary", "int"} <= set(names)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_explained(call: Call, name: str) -> None:
    status, out, err = call("models", "formats", name)
    assert (status, err) == (0, "")
    options = out.splitlines()[0].removeprefix(f"{name}:").split(",")
    assert all(option.partition("=")[0] in out.split("\n", 1)[1] for option in options)


def test_unknown_format(call: Call, tmp_path: Path, llama: Path) -> None:
    line = error(
        call("models", "quantize", llama, "--format", "tenary", "-o", tmp_path / "f"), "models"
    )
    assert line.startswith("format must be one of ")
    assert line.endswith("got 'tenary'; did you mean ternary?")
    assert not list(tmp_path.iterdir())


def test_no_layer_fits_the_pattern(call: Call, tmp_path: Path, llama: Path) -> None:
    line = error(
        call("models", "quantize", llama, "--format", "ternary", "-o", tmp_path / "f",
             "--layers", "model.layers.7.*"),
        "models",
    )  # fmt: skip
    assert line.startswith("layers must be some of the model's 14, got 'model.layers.7.*'; ")
    assert not list(tmp_path.iterdir())


def test_model_without_linear_layers(call: Call, tmp_path: Path) -> None:
    source = tiny.save(tmp_path / "llama")
    config = source / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_hidden_layers": 0}))
    line = error(
        call("models", "quantize", source, "--format", "ternary", "-o", tmp_path / "f"), "models"
    )
    assert line == "llama must have linear layers (torch.nn.Linear), got a LlamaForCausalLM"
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("family", ["gpt2", "falcon", "mixtral"])
def test_families_are_quantized_and_evaluated(
    call: Call,
    tmp_path: Path,
    family: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, text, file = tiny.save(tmp_path / family, family), tmp_path / "text", tmp_path / "f"
    text.write_text("on two o n " * 32, "utf-8")
    say_once.cache_clear()
    code, _, err = call("models", "quantize", source, "--format", "int:bits=8,group=8", "-o", file,
                        "--calibrate", text, "--windows", 8)  # fmt: skip
    assert code == 0, err
    assert [line.split(":")[0] for line in caplog.messages] == ["left in float"] * (
        family == "mixtral"
    )
    code, out, err = call("models", "eval", file, "--text", text, "--context", 16, "--json")
    assert code == 0, err
    own, *others = (one["perplexity"] for one in json.loads(out)["results"])
    assert others == pytest.approx([own, own], rel=0.02), "as fine codes and weights give"


def test_weights_that_a_model_reads_itself(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, text, file = tiny.save(tmp_path / "mamba", "mamba"), tmp_path / "text", tmp_path / "f"
    text.write_text("on two o n " * 32, "utf-8")
    arguments = ["quantize", source, "--format", "int:bits=8,group=2", "-o", file]
    code, _, err = call("models", *arguments, "--calibrate", text, "--windows", 2)
    assert code == 0, err
    line = error(call("models", "eval", file, "--text", text, "--context", 16), "models")
    rule = "must be left out (quantize --layers), got a model that reads its weight itself"
    assert line == f"layer backbone.layers.0.mixer.dt_proj {rule}"
    line = error(call("sim", "generate", file, "--prompt", "on two", "--tokens", 2), "sim")
    assert line == f"layer backbone.layers.0.mixer.dt_proj {rule}"


def test_non_finite_weights(call: Call, tmp_path: Path) -> None:
    source = tiny.save(tmp_path / "llama")
    weights = source / "model.safetensors"
    tensors = load_file(weights)
    tensors[f"model.{LAYER}.weight"][0, :2] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    line = error(
        call("models", "quantize", source, "--format", "ternary", "-o", tmp_path / "f"), "models"
    )
    assert line == f"layer model.{LAYER} must have finite weights, got 2 non-finite of 2048"
    assert not (tmp_path / "f").exists()


def test_foreign_and_truncated_files(call: Call, tmp_path: Path, layers: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(2)}, foreign)
    line = error(call("models", "show", foreign), "models")
    assert line == f"{foreign} must be a bitplane file, got safetensors of something else"
    short = tmp_path / "short.safetensors"
    short.write_bytes(layers.read_bytes()[:-1000])
    line = error(call("sim", "layer", short, "--layer", LAYER), "sim")
    assert line.startswith(f"{short} must be a bitplane file, got: ")
    line = error(call("models", "show", tmp_path / "none"), "models")
    assert line == f"{tmp_path / 'none'} must be a bitplane file, got none"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--rotate", 64], "layer model.layers.0.self_attn.q_proj: rotation must divide 32 inputs"),
        (["--act-exponents", 2], "--act-exponents must be left out without --act-group, got 2"),
        (["--windows", 10**24], "calibration windows must be from 1 to 100000, got 1000000"),
    ],
)
def test_options_are_checked_before_work(
    more: list[object], line: str, call: Call, tmp_path: Path, llama: Path
) -> None:
    arguments = ("quantize", llama, "--format", "ternary", "-o", tmp_path / "f")
    assert error(call("models", *arguments, *more), "models").startswith(line)
    assert not parts_of(tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("folder", "be a file, got a folder"),
        ("no/x", "be writable, got: No such file or directory"),
        ("pipe", "be a file, got a device or pipe"),
    ],
)
def test_outputs_are_checked_first(
    name: str, rule: str, call: Call, tmp_path: Path, layers: Path
) -> None:
    """Before the model is read, which is not there."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path, missing = tmp_path / name, tmp_path / "missing"
    for command in (
        ["quantize", missing, "--format", "ternary"],
        ["quantize", missing, "--format", "signs:k=1..2", "--budget", 3],
        ["train", layers, "--model", missing],
        ["import", missing],
        ["export", missing, "--to", "gguf-tq2_0"],
    ):
        assert error(call("models", *command, "-o", path), "models") == f"{path} must {rule}"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("more", [["--format", "signs"], ["--format", "ternary", "--rotate", 7]])
def test_nothing_stays_where_nothing_was_finished(
    more: list[object], call: Call, tmp_path: Path, llama: Path
) -> None:
    for calibrate in ("none", "self"):
        arguments = ["quantize", llama, *more, "--calibrate", calibrate, "--windows", 2]
        error(call("models", *arguments, "-o", tmp_path / "f"), "models")
        assert not list(tmp_path.iterdir())


def test_the_head_comes_with_some_layers(call: Call, tmp_path: Path, llama: Path) -> None:
    file = tmp_path / "f"
    arguments = ["quantize", llama, "--format", "ternary", "--calibrate", "none", "--head"]
    assert call("models", *arguments, "--layers", "*mlp*", "-o", file)[0] == 0
    with open_layers(file) as opened:
        assert opened.names[-1] == "lm_head"
        assert len(opened.names) == 2 * 3 + 1
    line = error(call("models", *arguments, "--layers", "*nlp*", "-o", file), "models")
    assert line.startswith("layers must be some of the model's 15, got '*nlp*'; ")


def test_usual_contexts_fit_small_models(
    call: Call, tmp_path: Path, llama: Path, layers: Path
) -> None:
    text, out = tmp_path / "text", tmp_path / "out"
    text.write_text("o n on two " * 30)
    status, printed, _ = call("models", "eval", layers, "--text", text, "--json")
    assert (status, json.loads(printed)["context"]) == (0, tiny.POSITIONS)
    train = ["train", layers, "--text", text, "--windows", 2, "--steps", 1, "--batch", 1, "-o", out]
    assert call("models", *train)[0] == 0
    with open_layers(out) as opened:
        assert opened.info["trained on"] == f"{text}, 2 x {tiny.POSITIONS}"
    study = ["study", "formats", llama, LAYER, "--text", text, "--format", "ternary"]
    assert call("models", *study)[0] == 0
    rule = f"context must be at most the model's {tiny.POSITIONS} tokens, got 99"
    for command in (["eval", layers, "--text", text], train):
        assert error(call("models", *command, "--context", 99), "models") == rule


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "nowhere.gguf"])
def test_missing_models(name: str, call: Call, tmp_path: Path) -> None:
    for command in (["quantize", name, "--format", "ternary"], ["import", name]):
        line = error(call("models", *command, "-o", tmp_path / "f"), "models")
        assert line.endswith(f", got '{name}'; there is no such file or folder")
    assert not list(tmp_path.iterdir())


def test_layer_runs_on_the_circuit(call: Call, layers: Path, tmp_path: Path) -> None:
    picture = tmp_path / "layer.png"
    status, out, err = call(
        "sim", "layer", layers, "--layer", LAYER, "--prompt", "on two", *SMALL, "--json",
        "--picture", picture,
    )  # fmt: skip
    assert status == 0, err
    figures = json.loads(out)
    assert figures["verified"]
    assert figures["equal"] == figures["integers"] == 2 * 32
    assert figures["predicted_cycles"] == figures["measured_cycles"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_quantize_with_a_scale_for_groups(call: Call, llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "layers.safetensors"
    arguments = ["quantize", llama, "--format", "signs:k=2,group=16", "--act-bits", "6",
                 "--layers", f"*{LAYER}", "--act-group", "16", "--act-exponents", "2",
                 "--calibrate", "none", "-o", file]  # fmt: skip
    assert call("models", *arguments)[0] == 0
    with open_layers(file) as opened:
        stage = opened.layer(LAYER).paths[0].stages[0]
        assert opened.info["act_group"] == "16, 2 halvings"
    assert stage.activation == Activation(bits=6, scale="group", group=16, exponents=2)
    arguments[arguments.index("16")] = "8"
    assert "activation group must equal group 16, got 8" in error(
        call("models", *arguments), "models"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--layer", LAYER, "--k", "1"],
            "layer {layer}: k of the layer must be at most the circuit's 1, got 2",
        ),
        (
            ["--layer", "layers.1.mlp.down"],
            "layer must be one of {file}'s 14, got 'layers.1.mlp.down'; did you mean {layer}?",
        ),
        (
            ["--layer", "down_proj"],
            "layer must be one of {file}'s 14, got 'down_proj'; it could be {twin} or {layer}",
        ),
        (
            ["--layer", LAYER, "--columns", "16"],
            (
                "layer {layer}: inputs of the layer must fit the activation buffer of 2 words, "
                "got 8 words"
            ),
        ),
        (
            ["--layer", LAYER, "--act-bits", "4"],
            "layer {layer}: activation bits of the layer must be at most the circuit's 4, got 8",
        ),
    ],
)
def test_layer_refuses(call: Call, layers: Path, arguments: list[str], line: str) -> None:
    small = ["--pe", "4", "--lanes", "8"]
    found = error(call("sim", "layer", layers, *small, *arguments), "sim")
    assert found == line.format(
        file=layers, layer=f"model.{LAYER}", twin="model.layers.0.mlp.down_proj"
    )


def test_missing_compiler(
    call: Call, layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing built yet
    monkeypatch.setenv("PATH", str(tmp_path))
    found = error(call("sim", "layer", layers, "--layer", LAYER, *SMALL), "sim")
    assert found.endswith("found none; install it with: apt-get install perl")


def test_demo_on_a_small_model(call: Call, llama: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    status, out, err = call(
        "sim", "demo", "--model", llama, "--format", "int:bits=2,group=16", "--prompt", "on two",
        "-o", folder, *SMALL,
    )  # fmt: skip
    assert status == 0, err
    assert "7 of 7 layers verified: all integers and cycles as predicted" in out
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["layers.png", "layers.safetensors", "rtl"]
