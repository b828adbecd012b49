"""Export to GGUF: its bytes against the gguf package; nothing is lost, or it is refused."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from ggufs import DOWN, HIDDEN, biases, imported, write_model

import models.__main__
from models import llm
from models.bitplane import BitplaneLayer
from models.cli import run
from models.codes import Activation
from models.dense import dense
from models.formats import parse
from models.formats.ternary import Ternary
from models.interchange.ternary_blocks import PACKERS, ternary_blocks
from models.interchange.write import export_layers
from models.store import open_layers, save

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def ternary_layer(rng: np.random.Generator, out: int, inputs: int, scale: float) -> BitplaneLayer:
    weights = rng.integers(-1, 2, (out, inputs)) * np.float32(scale)
    weights[0, :256] = 0
    layer = Ternary().quantize(np.sign(weights), f"l{inputs}", Activation())
    (path,) = layer.paths
    return replace(layer, paths=(replace(path, out_scale=np.array([scale], np.float32)),))


@pytest.mark.parametrize("kind", list(PACKERS))
def test_blocks_are_written_as_the_gguf_package_writes_them(kind: str) -> None:
    rng = np.random.default_rng(0)
    layer = ternary_layer(rng, 300, 512, 0.375)
    packed = ternary_blocks(layer, kind)
    assert packed.dtype == np.uint8
    assert (packed == gguf.quantize(dense(layer), Type[kind])).all()
    assert (gguf.dequantize(packed, Type[kind]) == dense(layer)).all()


@pytest.mark.parametrize("kind", list(PACKERS))
def test_exported_layers_are_read_back(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    first, second = ternary_layer(rng, 5, 256, 2.0), ternary_layer(rng, 3, 512, -0.125)
    bias = rng.standard_normal(5).astype(np.float32)
    layers = [replace(first, bias=bias), second]
    save(tmp_path / "in", layers, {})
    with open_layers(tmp_path / "in") as file:
        export_layers(file, f"gguf-{kind.lower()}", tmp_path / "out.gguf")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert list(tensors) == ["l256.weight", "l256.bias", "l512.weight"]
    assert tensors["l256.bias"].data.tolist() == bias.tolist()
    back, summary = imported(tmp_path / "out.gguf")
    assert summary.exact == summary.groups
    for layer in layers:
        tensor = tensors[f"{layer.name}.weight"]
        assert tensor.tensor_type == Type[kind]
        assert (gguf.dequantize(tensor.data, Type[kind]) == dense(layer)).all()
        assert (dense(back[layer.name]) == dense(layer)).all()


@pytest.mark.parametrize("scale", ["tensor", "row"])
def test_layers_quantized_here_are_exported(scale: str) -> None:
    weight = np.random.default_rng(0).standard_normal((4, 512)).astype(np.float32)
    spec = parse(f"ternary:scale={scale},scale_type=float16")
    hessian = torch.from_numpy(np.cov(np.random.default_rng(1).standard_normal((512, 600))))
    for inputs in (None, hessian.float()):
        layer = spec.quantize(weight, "x", Activation(), inputs)
        packed = ternary_blocks(layer, "TQ2_0")
        assert (gguf.dequantize(packed, Type["TQ2_0"]) == dense(layer)).all()


def test_group_scales_are_exported(tmp_path: Path) -> None:
    """What was imported from blocks with scales of their own gives the same blocks again."""
    path = tmp_path / "model.gguf"
    write_model(path, "TQ1_0")
    reader = gguf.GGUFReader(path, "r+")
    tensor = next(tensor for tensor in reader.tensors if "ffn_down" in tensor.name)
    blocks = tensor.data.reshape(HIDDEN, -1, 54)
    halves = np.random.default_rng(0).uniform(0.5, 4, (*blocks.shape[:2], 1)).astype("<f2")
    blocks[..., 52:] = halves.view(np.uint8)
    reader.data.flush()
    layer = imported(path, pattern=DOWN)[0][DOWN]
    assert layer.paths[0].stages[0].groups == 2
    assert (ternary_blocks(layer, "TQ1_0") == tensor.data).all()


def test_layers_in_place_of_a_models_own(tmp_path: Path) -> None:
    base, source, path = (tmp_path / f"{name}.gguf" for name in ("base", "source", "out"))
    scale = {"blk.0.ffn_up.scale": np.ones(1)}
    write_model(base, "Q8_0", "qwen2", floats=biases() | scale)
    write_model(source, "TQ2_0", "qwen2", floats={n: -v for n, v in biases().items()})
    layers, _ = imported(source)
    del layers[DOWN]
    save(tmp_path / "layers", layers.values(), {})
    with open_layers(tmp_path / "layers") as file:
        export_layers(file, "gguf-tq1_0", path, base)
    old, new = gguf.GGUFReader(base), gguf.GGUFReader(path)
    kept = [tensor for tensor in old.tensors if tensor.name not in scale]
    assert [tensor.name for tensor in new.tensors] == [tensor.name for tensor in kept]
    for before, after in zip(kept, new.tensors, strict=True):
        if ".bias" in before.name:
            assert (after.data == -before.data).all()
        elif before.tensor_type == Type.F32 or "ffn_down" in before.name:
            assert (after.data == before.data).all()
            assert after.tensor_type == before.tensor_type
        else:
            assert after.tensor_type == Type.TQ1_0
    read = llm.linear_layers(llm.load(str(path)))
    for name, layer in layers.items():
        assert (read[name].weight.detach().numpy() == dense(layer)).all()
    same = set(old.fields) - {"general.file_type", "general.quantization_version"}
    assert same <= set(new.fields)
    assert all(
        new.fields[name].contents() == old.fields[name].contents()
        for name in same
        if not name.startswith("GGUF.")
    )


def test_rows_of_llama_are_moved_back(tmp_path: Path) -> None:
    base, path = tmp_path / "base.gguf", tmp_path / "out.gguf"
    write_model(base, "TQ2_0", floats=biases())
    imported(base)
    with open_layers(base.with_suffix(".bits")) as file:
        export_layers(file, "gguf-tq2_0", path, base)
    old, new = gguf.GGUFReader(base).tensors, gguf.GGUFReader(path).tensors
    assert all((a.data == b.data).all() for a, b in zip(old, new, strict=True))


def refuses(layer: BitplaneLayer, message: str) -> None:
    with pytest.raises(ValueError, match=f"^layer {re.escape(layer.name + message)}$"):
        ternary_blocks(layer, "TQ1_0")


def test_layers_that_would_lose_something() -> None:
    rng = np.random.default_rng(0)
    good = ternary_layer(rng, 3, 256, 0.5)
    (path,) = good.paths
    scale = np.array([1 / 3], np.float32)
    third = replace(good, paths=(replace(path, out_scale=scale),))
    rule = " must have scales that float16 holds, as of ternary:scale_type=float16, got"
    refuses(third, f"{rule} 0.33333334")
    huge = replace(good, paths=(replace(path, out_scale=np.array([1e6], np.float32)),))
    refuses(huge, f"{rule} 1000000")
    short = ternary_layer(rng, 3, 260, 0.5)
    refuses(short, " must have a multiple of 256 inputs for TQ1_0, got 260")
    stage = replace(path.stages[0], coefficients=np.array([[[[1, -2]]]], np.int16), mix=None)
    two = replace(good, paths=(replace(path, stages=(stage,)),))
    refuses(two, " must have one magnitude but 0 in each block of 256 weights, got 0.5 and 1")
    both = replace(good, paths=(path, path), post="layernorm")
    refuses(both, " must be one matrix of integers, got several paths and a normalization")


def test_layers_that_are_not_the_base_models(tmp_path: Path) -> None:
    base, path = tmp_path / "base.gguf", tmp_path / "out.gguf"
    write_model(base, "Q8_0")
    rng = np.random.default_rng(0)
    wrong = ternary_layer(rng, 3, 512, 0.5)
    layer = replace(wrong, name=DOWN)
    biased = replace(ternary_layer(rng, HIDDEN, 512, 0.5), name=DOWN, bias=np.ones(256, np.float32))
    for bad, message in {
        wrong: "layer l512 must be one of the base model's; ",
        layer: f"layer {DOWN} must have the base model's shape (256, 512), got (3, 512)",
        biased: f"layer {DOWN} must have no bias, as in the base model, got one",
    }.items():
        save(tmp_path / "layers", [bad], {})
        with (
            open_layers(tmp_path / "layers") as file,
            pytest.raises(ValueError, match=f"^{re.escape(message)}"),
        ):
            export_layers(file, "gguf-tq1_0", path, base)
    assert not path.exists()


def test_unknown_target(tmp_path: Path) -> None:
    save(tmp_path / "in", [ternary_layer(np.random.default_rng(0), 3, 256, 0.5)], {})
    rule = "^what is exported must be one of gguf-tq1_0, gguf-tq2_0, got 'gguf'$"
    with open_layers(tmp_path / "in") as file, pytest.raises(ValueError, match=rule):
        export_layers(file, "gguf", tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


# Command line


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process; return its exit status, output and last line of errors."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["models", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(models.__main__.PROGRAM, models.__main__.main)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, (err.splitlines() or [""])[-1]

    return command


def test_from_gguf_to_gguf(tmp_path: Path, call: Call) -> None:
    source, file, path = (tmp_path / name for name in ("in.gguf", "layers", "out.gguf"))
    write_model(source, "TQ2_0", kinds={"ffn_down": "F16"})
    status, out, _ = call("import", source, "-o", file, "--act-bits", 4)
    rows = 256 + 2 * 128 + 256 + 2 * 512
    last = [f"{rows} of {rows} groups are exact", f"left out: 1 F16, such as {DOWN}"]
    assert (status, out.splitlines()[-2:]) == (0, last)
    status, out, _ = call("show", file, "--json")
    assert json.loads(out)["info"]["format"] == "import of GGUF TQ2_0"
    status, out, _ = call("export", file, "--to", "gguf-tq1_0", "-o", path, "--base", source)
    assert (status, out) == (0, f"{path}: 6 layers, {path.stat().st_size} bytes\n")
    again = tmp_path / "again"
    assert call("import", path, "-o", again, "--act-bits", 4)[0] == 0
    with open_layers(file) as one, open_layers(again) as two:
        assert one.names == two.names
        for name in one.names:
            assert (dense(one.layer(name)) == dense(two.layer(name))).all()
            assert one.layer(name).paths[0].stages[0].activation == Activation(bits=4)


def test_errors_are_one_line(tmp_path: Path, call: Call) -> None:
    status, out, line = call("import", tmp_path / "none.gguf", "-o", tmp_path / "x")
    assert (status, out) == (2, "")
    source, file = tmp_path / "in.gguf", tmp_path / "layers"
    write_model(source, "Q4_0")
    assert call("import", source, "-o", file)[0] == 0
    status, out, line = call("export", file, "--to", "gguf-tq1_0", "-o", tmp_path / "x.gguf")
    assert (status, out) == (2, "")
    assert "must have one magnitude but 0 in each block of 256 weights, got" in line
    assert not (tmp_path / "x.gguf").exists()
