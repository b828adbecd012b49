"""Tasks of lm-eval: what is refused, and, where it is installed, a small task of our own."""

import json
import math
import re
import sys
from pathlib import Path

import pytest
import tiny
import torch

import models.__main__
from models.codes import Activation
from models.formats import parse
from models.llm import LLM, linear_layers, load
from models.modules import ReferenceLinear, replace_layers
from models.store import open_layers, save
from models.tasks import report, run_tasks

QUESTIONS = [
    {"question": "on two", "choices": ["o", "n", "two"], "answer": 1},
    {"question": "two two n", "choices": ["on", "o", "n"], "answer": 0},
    {"question": "o n on", "choices": ["two", "on", "o"], "answer": 2},
    {"question": "n", "choices": ["two", "n", "o"], "answer": 2},
    {"question": "two", "choices": ["on", "n", "two"], "answer": 1},
]
TASK = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - metric: acc
"""


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """Quantize the tiny model, with weights large enough that it has opinions."""
    model = tiny.model("llama")
    for parameter in model.parameters():
        parameter.data *= 8 if parameter.ndim == 2 else 1
    folder = tmp_path / "llama"
    model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    file = tmp_path / "layers.safetensors"
    quantized = [
        parse("ternary").quantize(layer.weight.detach(), name, Activation())
        for name, layer in linear_layers(load(str(folder))).items()
    ]
    save(file, quantized, {"model": str(folder)})
    return file


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["models", *map(str, arguments)])
    models.__main__.main()


def test_refusals(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^either --text or --tasks must be given, got neither$"):
        command(monkeypatch, "eval", layers)
    with pytest.raises(ValueError, match=r"^either --text or --tasks must be given, got both$"):
        command(monkeypatch, "eval", layers, "--tasks", "piqa", "--text", layers)
    with pytest.raises(ValueError, match=r"^--limit must be left out without --tasks, got 3$"):
        command(monkeypatch, "eval", layers, "--text", layers, "--limit", 3)
    with pytest.raises(ValueError, match=r"^--task-folder must be left out without --tasks, got x"):
        command(monkeypatch, "eval", layers, "--text", layers, "--task-folder", "x")
    with pytest.raises(ValueError, match=r"^limit must be 1 or more, got 0$"):
        command(monkeypatch, "eval", layers, "--tasks", "piqa", "--limit", 0)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)  # as if it were not installed
    line = r"^--tasks must have the package lm-eval, got: .*; pip install 'planesmith\[tasks\]'$"
    with pytest.raises(ValueError, match=line):
        command(monkeypatch, "eval", layers, "--tasks", "piqa")


def likeliest(llm: LLM, question: str, choices: list[str]) -> int:
    """Return the choice with the greatest likelihood behind the question."""
    scores = []
    for choice in choices:
        tokens = llm.tokenizer(f"{question} {choice}", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = llm.model(input_ids=tokens).logits[0, -2]
        scores.append(float(logits.log_softmax(0)[tokens[0, -1]]))
    return scores.index(max(scores))


@pytest.mark.filterwarnings("default")  # of lm-eval's own dependencies
def test_a_task_is_scored_with_the_integers(
    layers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install '.[tasks]'")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    folder = tmp_path / "tasks"
    folder.mkdir()
    data = folder / "questions.json"
    data.write_text("\n".join(json.dumps(one) for one in QUESTIONS), "utf-8")
    for name, place in (("words", data), ("nothing", folder / "none.json")):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=place), "utf-8")
    llm = load(str(tmp_path / "llama"))
    with open_layers(layers) as file:
        replace_layers(llm.model, (file.layer(name) for name in file.names), ReferenceLinear)
    right = [likeliest(llm, one["question"], one["choices"]) == one["answer"] for one in QUESTIONS]
    want = sum(right) / len(right)
    assert 0 < want < 1, right
    with open_layers(layers) as file:
        (score,) = run_tasks(load(str(tmp_path / "llama")), file, ["words"], folder=folder)
    assert (score.task, score.metric, score.value) == ("words", "acc,none", want)
    assert score.stderr == pytest.approx(math.sqrt(want * (1 - want) / (len(right) - 1)))
    assert f"{want:.4f}" in report([score])
    options = ["--task-folder", folder, "--limit", 2]
    capsys.readouterr()
    command(monkeypatch, "eval", layers, "--tasks", "words", *options, "--json")
    (figures,) = json.loads(capsys.readouterr().out)
    assert figures["value"] == sum(right[:2]) / 2
    line = "task must be one of lm-eval's, got 'wordz'; did you mean words?"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        command(monkeypatch, "eval", layers, "--tasks", "wordz", *options)
    with pytest.raises(OSError, match=r"^task nothing must have its data in reach, got: "):
        command(monkeypatch, "eval", layers, "--tasks", "nothing", *options)
