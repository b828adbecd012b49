"""Perplexity: against the definition, resumed, and refused with one line."""

import json
import math
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import nn
from transformers import PreTrainedModel

import models.__main__
from models import eval as evaluation
from models import llm, scores
from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.dense import dense
from models.formats import parse
from models.modules import DenseLinear, ReferenceLinear, replace_layers
from models.reference import run
from models.store import open_layers, save
from models.threads import one_thread

CONTEXT = 8
NOT_UTF8 = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
LAYER = "model.layers.1.mlp.down_proj"
MEANT = f"did you mean {LAYER}?"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Write 45 tokens: 5 windows and a rest."""
    return tiny.save_text(tmp_path / "text.txt", 45)


def tiny_llm(family: str = "llama") -> llm.LLM:
    """Make a model with weights large enough that quantizing them shows."""
    model = tiny.model(family)
    for parameter in model.parameters():
        parameter.data *= 4 if parameter.ndim == 2 else 1
    return llm.LLM(family, model, tiny.tokenizer(), "memory")


def quantized(path: Path, spec: str, family: str = "llama", bits: int = 8) -> Path:
    """Write the quantized layers of the tiny model."""
    layers = [
        replace(
            parse(spec).quantize(layer.weight.detach(), name, Activation(bits=bits)),
            bias=None if layer.bias is None else layer.bias.detach().numpy(),
        )
        for name, layer in llm.linear_layers(tiny_llm(family)).items()
    ]
    save(path, layers, {"model": "memory"})
    return path


def results(file: Path, text: Path, family: str = "llama", batch: int = 1) -> list:
    """Evaluate on 40 tokens."""
    model = tiny_llm(family)
    windows = evaluation.read_windows(model, text, 44, CONTEXT)
    with open_layers(file) as layers:
        return list(evaluation.evaluate(model, layers, windows, batch))


def perplexity(model: nn.Module, text: Path) -> float:
    """By the definition, token by token."""
    tokens = tiny.tokenizer()(text.read_text("utf-8"))["input_ids"]
    losses = []
    for start in range(0, 40, CONTEXT):
        window = tokens[start : start + CONTEXT]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([window])).logits[0].double()
        for position, word in enumerate(window[1:]):
            likelihoods = torch.softmax(logits[position], dim=0)
            losses.append(-math.log(float(likelihoods[word])))
    return math.exp(sum(losses) / len(losses))


@pytest.mark.parametrize("family", ["llama", "opt"])  # opt has biases
@pytest.mark.parametrize("batch", [1, 2, 9])
def test_perplexity_is_that_of_the_definition(
    tmp_path: Path, text: Path, family: str, batch: int
) -> None:
    file = quantized(tmp_path / "x.safetensors", "int:bits=3,group=16", family)
    got = results(file, text, family, batch)
    want = [perplexity(tiny_llm(family).model, text)]
    for stand_in in (DenseLinear, ReferenceLinear):
        model = tiny_llm(family).model
        with open_layers(file) as layers:
            replace_layers(model, (layers.layer(name) for name in layers.names), stand_in)
        want.append(perplexity(model, text))
    assert [result.version for result in got] == ["float", "fake quant", "integer"]
    assert [result.perplexity for result in got] == pytest.approx(want, rel=1e-5)
    assert len({round(value, 3) for value in want}) == 3
    assert got[0].bits_per_weight == 32
    assert got[1].bits_per_weight == got[2].bits_per_weight > 3
    assert got[2].size_bytes == file.stat().st_size
    assert all(result.seconds > 0 and result.peak_bytes > 1e7 for result in got)


@pytest.mark.parametrize("spec", ["int:bits=8,group=16", "dbf:bits=8,steps=2,mid_bits=16"])
def test_integers_of_many_bits_are_near_the_matrices(tmp_path: Path, text: Path, spec: str) -> None:
    got = results(quantized(tmp_path / "x.safetensors", spec, bits=16), text)
    assert got[2].perplexity == pytest.approx(got[1].perplexity, rel=3e-3)


@pytest.mark.parametrize("spec", ["binary", "binary:scale=group,group=16", "binary:mean=dropped"])
def test_one_bit_codes_for_signs_have_the_matrix_of_signs(spec: str) -> None:
    weight = torch.randn(12, 40, generator=torch.Generator().manual_seed(1))
    signs, more = (parse(spec).quantize(weight, "x", Activation(bits, bits > 1)) for bits in (1, 8))
    assert torch.equal(DenseLinear(signs).weight, DenseLinear(more).weight)
    x = torch.where(weight > 0, 3.0, -3.0)  # nothing is lost to the codes of these
    torch.testing.assert_close(DenseLinear(signs)(x), ReferenceLinear(signs)(x))


def test_layers_without_a_matrix_are_named(tmp_path: Path, text: Path) -> None:
    file, changed = tmp_path / "x.safetensors", []
    with open_layers(quantized(file, "int:bits=8,group=16")) as layers:
        for name in layers.names:
            layer = layers.layer(name)
            if name == LAYER:
                (path,) = layer.paths
                stage = replace(path.stages[0], bias=np.zeros(layer.out, np.int64))
                layer = replace(layer, paths=(replace(path, stages=(stage,)),))
            changed.append(layer)
    before = results(file, text)
    save(file, changed, {})
    first, fake, integer = results(file, text)
    assert fake.perplexity is None
    assert fake.reason == (
        f"layer {LAYER}: a layer with a matrix must have no bias between integers, got one"
    )
    assert [first.perplexity, integer.perplexity] == [before[0].perplexity, before[2].perplexity]
    assert f"\nfake quant  none: layer {LAYER}: " in evaluation.report([first, fake, integer])


def test_interrupted_evaluation_goes_on(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = quantized(tmp_path / "x.safetensors", "ternary")
    calls: list[int] = []
    losses = scores._losses

    def counted(model: PreTrainedModel, windows: torch.Tensor) -> list[float]:
        calls.append(len(windows))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return losses(model, windows)

    monkeypatch.setattr(scores, "_losses", counted)
    with pytest.raises(KeyboardInterrupt):
        results(file, text)
    first = results(file, text)
    assert len(calls) == 8 + 15 - 7
    assert results(file, text) == first
    assert len(calls) == 16
    quantized(file, "ternary:scale=row")
    assert results(file, text)[0] == first[0]  # the model is the same, the file is not
    assert len(calls) == 16 + 10


def test_programs_share_the_scores_of_the_float_model(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    losses = scores._losses

    def slow(model: PreTrainedModel, windows: torch.Tensor) -> list[float]:
        calls.append(len(windows))
        time.sleep(0.05)
        return losses(model, windows)

    monkeypatch.setattr(scores, "_losses", slow)
    windows = evaluation.read_windows(tiny_llm(), text, 44, CONTEXT)
    with ThreadPoolExecutor(3) as threads:
        work = [threads.submit(evaluation.score_float, tiny_llm(), windows) for _ in range(3)]
    assert len(calls) == 5
    assert all(one.result() == work[0].result() for one in work)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": 1}', '{"x": {"loss": 1}}'])
def test_damaged_records_are_made_anew(tmp_path: Path, text: Path, damage: str) -> None:
    file = quantized(tmp_path / "x.safetensors", "ternary")
    want = [result.perplexity for result in results(file, text)]
    records = list((tmp_path / "cache").rglob("*.json"))
    assert len(records) == 3
    for record in records:
        record.write_text(damage, "utf-8")
    assert [result.perplexity for result in results(file, text)] == want


def test_hopeless_models_have_no_perplexity(tmp_path: Path, text: Path) -> None:
    model = tiny_llm()
    windows = evaluation.read_windows(model, text, 40, CONTEXT)
    model.model.get_submodule("lm_head").get_parameter("weight").data *= 1e6
    with open_layers(quantized(tmp_path / "x.safetensors", "ternary")) as layers:
        got = list(evaluation.evaluate(model, layers, windows))
    assert got[0].perplexity is None
    assert re.fullmatch(r"the mean loss is [0-9.e+]+", got[0].reason)
    assert evaluation.report(got)


def test_shared_modules_are_replaced_everywhere() -> None:
    model = tiny_llm().model
    shared = model.get_submodule("model.layers.0.mlp.down_proj")
    model.set_submodule("model.layers.1.mlp.down_proj", shared)
    layer = parse("ternary").quantize(shared.get_parameter("weight").detach(), LAYER, Activation())
    replace_layers(model, [layer], ReferenceLinear)
    new = model.get_submodule("model.layers.0.mlp.down_proj")
    assert isinstance(new, ReferenceLinear)
    assert model.get_submodule(LAYER) is new


@pytest.mark.parametrize("post", ["none", "layernorm"])
def test_stand_ins_compute_the_layer(post: str) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((5, 40)).astype(np.float32)
    layer = replace(
        parse("ternary").quantize(weight, "x", Activation(bits=16)),
        bias=rng.standard_normal(5).astype(np.float32), post=post,
    )  # fmt: skip
    x = torch.from_numpy(rng.standard_normal((2, 3, 40)).astype(np.float32))
    with one_thread():
        assert torch.equal(ReferenceLinear(layer)(x), run(layer, x))
        assert torch.allclose(DenseLinear(layer)(x), run(layer, x), atol=5e-3)
    if post == "none":
        want = x @ torch.from_numpy(dense(layer)).T + torch.from_numpy(layer.bias)
        assert torch.allclose(DenseLinear(layer)(x), want, atol=1e-5)


def test_windows_do_not_overlap(text: Path) -> None:
    tokens = tiny.tokenizer()(text.read_text("utf-8"))["input_ids"]
    model = tiny_llm()
    windows = evaluation.read_windows(model, text, 39, CONTEXT)
    assert windows.tolist() == [tokens[n : n + 8] for n in range(0, 32, 8)]
    assert evaluation.read_windows(model, text, 10**9, CONTEXT).shape == (5, 8)
    assert evaluation.read_windows(model, text, 10**9, None).shape == (2, tiny.POSITIONS)


@pytest.mark.parametrize(
    ("tokens", "context", "line"),
    [
        (40, 1, "context must be 2 tokens or more, got 1"),
        (40, 17, "context must be at most the model's 16 tokens, got 17"),
        (7, 8, "tokens must be at least one window of 8, got 7"),
    ],
)
def test_bad_sizes_are_refused(text: Path, tokens: int, context: int, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        evaluation.read_windows(tiny_llm(), text, tokens, context)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"on two on", "PATH must have at least 8 tokens, one window, got 3"),
        (b"", "PATH must have at least 8 tokens, one window, got 0"),
        (
            b"\xff\xfe",
            f"PATH must be text in UTF-8, got: {NOT_UTF8}",
        ),
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "short.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(line.replace('PATH', str(path)))}$"):
        evaluation.read_windows(tiny_llm(), path, 40, CONTEXT)


def test_missing_texts_are_refused(tmp_path: Path) -> None:
    for path, got in ((tmp_path / "none.txt", "none"), (tmp_path, "a folder")):
        with pytest.raises(OSError, match=f"^{path} must be a text file, got {got}$"):
            evaluation.read_windows(tiny_llm(), path, 40, CONTEXT)


def layer_of_shape(name: str, out: int, columns: int) -> BitplaneLayer:
    """Make a small layer."""
    weight = np.ones((out, columns), np.float32)
    return parse("ternary").quantize(weight, name, Activation())


@pytest.mark.parametrize(
    ("layers", "line"),
    [
        ([], "PATH must hold a layer, got none"),
        (
            [layer_of_shape("model.layers.1.mlp.dwn_proj", 2, 2)],
            f"PATH must hold layers of llama, got model.layers.1.mlp.dwn_proj; {MEANT}",
        ),
        (
            [layer_of_shape(LAYER, 32, 63)],
            f"layer {LAYER} of PATH must have the model's shape (32, 64), got (32, 63)",
        ),
    ],
)
def test_files_of_other_models_are_refused(
    tmp_path: Path, text: Path, layers: list[BitplaneLayer], line: str
) -> None:
    path = tmp_path / "x.safetensors"
    save(path, layers, {})
    with pytest.raises(ValueError, match=f"^{re.escape(line.replace('PATH', str(path)))}$"):
        results(path, text)


def test_figures_are_json(tmp_path: Path, text: Path) -> None:
    got = results(quantized(tmp_path / "x.safetensors", "ternary"), text)
    windows = torch.zeros(5, CONTEXT, dtype=torch.int64)
    figures = json.loads(json.dumps(evaluation.figures(got, windows), allow_nan=False))
    assert (figures["windows"], figures["context"], figures["tokens"]) == (5, 8, 40)
    assert [one["version"] for one in figures["results"]] == ["float", "fake quant", "integer"]
    assert evaluation.report(got).count("\n") == 3


# --- the commands ---


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save the tiny model."""
    return tiny.save(tmp_path / "llama")


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run a command line; errors of the user are raised."""
    monkeypatch.setattr("sys.argv", ["models", *map(str, arguments)])
    models.__main__.main()


def test_eval_prints_a_table_or_json(
    saved: Path,
    tmp_path: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "x.safetensors"
    command(monkeypatch, "quantize", saved, "--format", "ternary", "-o", file)
    capsys.readouterr()
    arguments = ["eval", file, "--text", text, "--tokens", 40, "--context", 8]
    command(monkeypatch, *arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file}: {saved}, 40 tokens in 5 windows of 8 from {text}"
    assert lines[1] == evaluation.HEADER
    assert [line.split("  ")[0] for line in lines[2:]] == ["float", "fake quant", "integer"]
    command(monkeypatch, *arguments, "--json", "--model", saved)
    figures = json.loads(capsys.readouterr().out)
    shown = [f"{one['perplexity']:.6g}" for one in figures["results"]]
    assert shown == [line[11:].split()[0] for line in lines[2:]]


def test_eval_needs_a_model(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.safetensors"
    save(file, [layer_of_shape(LAYER, 32, 64)], {})
    with pytest.raises(ValueError, match=f"^--model must be given, as {file} names none$"):
        command(monkeypatch, "eval", file, "--text", text)
