"""Quantizing that was interrupted: what waits beside the output, and what is taken of it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from models import __main__ as program
from models import quantize as quantization
from models.bitplane import BitplaneLayer
from models.cli import run
from models.codes import Activation
from models.formats.ternary import Ternary
from models.quantize import parts_of
from models.store import open_layers

Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Quantize to ternary weights in this process; return the exit status."""

    def command(*arguments: object) -> int:
        whole = ["models", "quantize", *map(str, arguments), "--format", "ternary"]
        monkeypatch.setattr(sys, "argv", whole)
        with pytest.raises(SystemExit) as ended:
            run(program.PROGRAM, program.main)
        return int(ended.value.code or 0)

    return command


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("llama"))


def test_interrupted_quantization_goes_on(
    call: Call,
    tmp_path: Path,
    llama: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "layers.safetensors"
    arguments = (llama, "-o", file)
    quantize, seen = Ternary.quantize, []

    def interrupted(
        self: Ternary,
        weight: torch.Tensor,
        name: str,
        activation: Activation,
        hessian: torch.Tensor | None = None,
    ) -> BitplaneLayer:
        seen.append(name)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return quantize(self, weight, name, activation, hessian)

    monkeypatch.setattr(Ternary, "quantize", interrupted)
    capfd.readouterr()
    assert call(*arguments) == 130
    out, err = capfd.readouterr()
    assert not out
    assert err.endswith("python -m models: interrupted\n")
    assert not file.exists()
    assert call(*arguments) == 0
    assert len(seen) == 4 + 14 - 3, "finished layers are not quantized again"
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name]
    with open_layers(file) as found:
        assert len(found.names) == 14


@pytest.mark.parametrize("changed", ["model", "text"])
def test_layers_of_others_are_not_taken(
    changed: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits beside the output is of the very weights and text, not of the same paths."""
    source, text, file = tiny.save(tmp_path / "llama"), tmp_path / "text", tmp_path / "f"
    text.write_text("o n on two " * 30)
    arguments = (source, "--calibrate", text, "--windows", 4, "-o")
    save, saved = quantization.save, []

    def interrupted(path: Path, *rest: Any) -> None:
        if len(saved) == 4:
            raise KeyboardInterrupt
        saved.append(path)
        save(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(quantization, "save", interrupted)
        assert call(*arguments, file) == 130
    assert len(list(parts_of(file).iterdir())) == 4
    if changed == "text":
        text.write_text("o two n " * 30)
    else:
        other = tiny.model("llama")
        other.model.layers[0].self_attn.q_proj.weight.data *= -2
        other.save_pretrained(source)
    assert call(*arguments, file) == 0
    assert call(*arguments, tmp_path / "fresh") == 0
    assert file.read_bytes() == (tmp_path / "fresh").read_bytes()


def test_an_interrupt_leaves_whole_layers_only(
    call: Call, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One may come after a file is made and before there is anyone to remove it."""
    save = quantization.save

    def interrupted(path: Path, *rest: Any) -> None:
        if list(path.parent.glob("*.safetensors")):
            (path.parent / f".{path.name}.cut").write_bytes(b"")
            raise KeyboardInterrupt
        save(path, *rest)

    monkeypatch.setattr(quantization, "save", interrupted)
    assert call(llama, "--calibrate", "none", "-o", tmp_path / "f") == 130
    (left,) = parts_of(tmp_path / "f").iterdir()
    assert left.suffix == ".safetensors"


def test_damaged_leftovers_are_made_anew(call: Call, tmp_path: Path, llama: Path) -> None:
    file = tmp_path / "f"
    arguments = (llama, "--calibrate", "none", "-o")
    assert call(*arguments, tmp_path / "fresh") == 0
    parts_of(file).mkdir()
    for name in ("model.layers.1.mlp.down_proj", "model.layers.0.mlp.up_proj"):
        (parts_of(file) / f"{name}.safetensors").write_bytes(b"cut")
    assert call(*arguments, file) == 0
    assert file.read_bytes() == (tmp_path / "fresh").read_bytes()
