"""Training runs on tiny models: they learn, go on where they stopped, and write layers."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from models import llm
from models.codes import Activation
from models.formats import parse
from models.modules import ReferenceLinear, replace_layers
from models.quantize import choose, quantize_model
from models.store import open_layers, save
from models.training import run as training
from models.training.checkpoint import Checkpoint, Interrupts, State
from models.training.distillation import divergence
from models.training.run import fixed_planes, train_model
from models.training.settings import Settings

CPU = torch.device("cpu")
SHORT = Settings(block_steps=3, block_windows=4, steps=4, batch=2, rate=0.01, slow_rate=0.01)


def tiny_llm(family: str = "llama") -> llm.LLM:
    return llm.LLM(family, tiny.model(family), tiny.tokenizer(), "memory")


def windows(count: int = 8, seed: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(len(tiny.WORDS), (count, 12), generator=random)


def quantized(path: Path, family: str = "llama") -> Path:
    text = "signs:k=2,group=16"
    model = tiny_llm(family)
    quantize_model(model, choose(model), parse(text), Activation(), path, {"format": text})
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quantized(tmp_path_factory.mktemp("start") / "start")


def train(start: Path, output: Path, settings: Settings, family: str = "llama") -> Path:
    with open_layers(start) as file:
        train_model(tiny_llm(family), file, windows(), settings, output, "numbers", CPU)
    return output


@pytest.fixture(scope="module")
def whole(start: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Train without an interruption."""
    return train(start, tmp_path_factory.mktemp("whole") / "whole", SHORT).read_bytes()


def lost(path: Path, family: str = "llama") -> float:
    """Divergence of the model of a file, computed in integers, on other windows."""
    teacher, student = tiny_llm(family).model, tiny_llm(family).model
    with open_layers(path) as file:
        replace_layers(student, [file.layer(name) for name in file.names], ReferenceLinear)
    tokens = windows(seed=9)
    with torch.no_grad():
        logits = [model(input_ids=tokens).logits.flatten(0, 1) for model in (student, teacher)]
    return float(divergence(*logits))


@pytest.mark.parametrize("family", ["llama", "opt"])
def test_distillation_brings_the_integers_nearer(family: str, tmp_path: Path) -> None:
    before = quantized(tmp_path / "start", family)
    settings = Settings(block_steps=0, steps=16, batch=2, rate=0.01, slow_rate=0.01)
    trained = train(before, tmp_path / "trained", settings, family)
    assert lost(trained, family) < 0.8 * lost(before, family)
    with open_layers(trained) as file, open_layers(before) as old:
        assert file.names == old.names
        assert file.info["trained on"] == "numbers"
        bits = [[one.layer(name).stored_bits for name in one.names] for one in (file, old)]
    assert bits[0] == bits[1]


def test_reconstruction_brings_the_integers_nearer(start: Path, tmp_path: Path) -> None:
    settings = Settings(block_steps=24, steps=0, batch=4, block_rate=0.01, block_slow_rate=0.01)
    assert lost(train(start, tmp_path / "trained", settings)) < 0.8 * lost(start)


def test_the_same_each_time(start: Path, whole: bytes, tmp_path: Path) -> None:
    assert train(start, tmp_path / "again", SHORT).read_bytes() == whole


def test_windows_read_together_are_those_read_apart(start: Path, tmp_path: Path) -> None:
    """A step's gradients are the same but for the order of sums: nearly all codes agree."""
    planes = []
    for at_once in (1, 2, 3):  # of a batch of 4
        settings = Settings(steps=2, batch=4, at_once=at_once, rate=0.01, slow_rate=0.01)
        with open_layers(train(start, tmp_path / str(at_once), settings)) as file:
            found = [file.layer(name).paths[0].stages[0].planes for name in file.names]
            planes.append(np.concatenate([one.flatten() for one in found]))
    for other in planes[1:]:
        assert (other != planes[0]).mean() < 0.02


class Stop:
    """Interrupts that come at the n-th time one asks."""

    def __init__(self, after: int) -> None:
        self.left = after

    @property
    def came(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("after", [0, 4, 6, 11])
def test_goes_on_after_an_interrupt(
    after: int, start: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "held_interrupts", lambda: nullcontext(Stop(after)))
        with pytest.raises(KeyboardInterrupt):
            train(start, tmp_path / "parts", SHORT)
    assert not (tmp_path / "parts").exists()
    state = tmp_path / "parts.training"
    assert state.exists()
    line = f"{state} must be of this very run, or be removed, got another training"
    with pytest.raises(ValueError, match=f"^{line}$"):
        train(start, tmp_path / "parts", Settings(steps=5))
    assert train(start, tmp_path / "parts", SHORT).read_bytes() == whole
    assert not state.exists()


def test_a_damaged_state_is_refused(start: Path, tmp_path: Path) -> None:
    state = tmp_path / "out.training"
    state.write_bytes(b"no state")
    with pytest.raises(ValueError, match=f"^{state} must be the state of a run, got: "):
        train(start, tmp_path / "out", SHORT)


def test_a_layer_that_cannot_learn_is_named(tmp_path: Path) -> None:
    name, chains = "model.layers.1.self_attn.q_proj", tmp_path / "start"
    weight = llm.linear_layers(tiny_llm())[name].weight
    save(chains, [parse("mdbf:bits=6").quantize(weight, name, Activation())], {})
    line = f"layer {name}: a layer to train must have one view, got 2"
    with pytest.raises(ValueError, match=f"^{line}$"):
        train(chains, tmp_path / "out", SHORT)


def test_a_model_that_gives_no_numbers_is_blamed(start: Path, tmp_path: Path) -> None:
    """And not the rates."""
    broken = tiny_llm()
    broken.model.lm_head.weight.data.fill_(torch.nan)
    line = "^logits of the model must be finite, got a NaN or an infinity$"
    with open_layers(start) as file, pytest.raises(ValueError, match=line):
        train_model(broken, file, windows(), SHORT, tmp_path / "out", "numbers", CPU)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"steps": -1}, "steps must be 0 or more, got -1"),
        ({"block_steps": 0, "steps": 0}, "steps must be 1 or more, of blocks or of distillation"),
        ({"batch": 0}, "batch must be 1 window or more, got 0"),
        ({"at_once": 0}, "windows at once must be 1 or more, got 0"),
        ({"rate": 2.0}, "rate must be from 0 to 1, got 2.0"),
        ({"seed": -1}, r"seed must be from 0 to 2\*\*62, got -1"),
    ],
)
def test_settings_are_checked(options: dict, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}"):
        Settings(**options)


def test_fixed_planes_are_those_of_the_format() -> None:
    formats = ["jsq", "pbllm", "signs:k=3,group=16", "dbf", "foreign"]
    assert [fixed_planes(text) for text in formats] == [1, 1, 0, 0, 0]
    assert fixed_planes("") == 0


def several(path: Path, **told: str) -> Path:
    """Quantize layers to 2:4 planes and to signs, by turns, as a budget may do."""
    texts, model = ["jsq", "signs:k=2,group=16"], tiny_llm()
    chosen = choose(model)
    formats = {name: texts[n % 2] for n, name in enumerate(chosen)}
    info = {"format": " ".join(texts), "budget": "3.0"}
    info |= {key: value or json.dumps(formats) for key, value in told.items()}
    specs = {name: parse(text) for name, text in formats.items()}
    quantize_model(model, chosen, specs.__getitem__, Activation(), path, info)
    return path


def test_masks_stay_where_each_layer_has_a_format(tmp_path: Path) -> None:
    before = several(tmp_path / "start", formats="")
    settings = Settings(steps=6, batch=2, rate=0.05, slow_rate=0.01)
    trained = train(before, tmp_path / "trained", settings)
    changed = 0
    with open_layers(before) as old, open_layers(trained) as new:
        for name in old.names:
            was, now = (file.layer(name).paths[0].stages[0].planes for file in (old, new))
            changed += int((was != now).sum())
            assert new.format_of(name) == old.format_of(name)
            if old.format_of(name) == "jsq":
                # Kept weights that become 0 leave the mask; those that it left out stay out.
                assert not (now[0] & ~was[0]).any(), name
    assert changed > 0


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({}, "must tell each layer's format, got several for all"),
        ({"formats": "{}"}, "must tell the format of model.layers.0.self_attn.q_proj, got none"),
        ({"formats": "no"}, "must tell the format of model.layers.0.self_attn.q_proj, got none"),
    ],
)
def test_several_formats_must_be_told(told: dict[str, str], line: str, tmp_path: Path) -> None:
    file = several(tmp_path / "start", **told)
    with pytest.raises(ValueError, match=f"^{file} {line}$"):
        train(file, tmp_path / "out", SHORT)


def test_a_full_disk_names_the_state(start: Path, tmp_path: Path) -> None:
    checkpoint, interrupts = Checkpoint(tmp_path / "state", {}), Interrupts()
    interrupts.came = True
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(OSError, match=f"^{tmp_path}/state must be writable, got .*too large"):
            checkpoint.keep(State(tensors={"x": torch.zeros(9999)}), interrupts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Train a tiny model of a folder for long, by the command line."""
    folder, text = tiny.save(tmp_path / "llama"), tmp_path / "text"
    text.write_text("o n on two " * 100)
    start = tmp_path / "start"
    spec = parse("signs:k=2,group=16")
    model = llm.load(str(folder))
    quantize_model(model, choose(model), spec, Activation(), start, {"model": str(folder)})
    words = ["train", str(start), "--text", str(text), "--windows", "4", "--context", "12",
             "--block-steps", "0", "--steps", "100000", "-o", str(tmp_path / "out")]  # fmt: skip
    with subprocess.Popen([sys.executable, "-m", "models", *words], stderr=subprocess.PIPE) as ran:
        yield ran
        ran.kill()


def test_an_interrupt_keeps_the_state(command: subprocess.Popen, tmp_path: Path) -> None:
    assert command.stderr is not None
    seen = b""
    while b"nats" not in seen:
        seen += os.read(command.stderr.fileno(), 4096)
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == 130
    assert said.endswith(b"python -m models: interrupted\n")
    assert (tmp_path / "out.training").exists()
    assert not (tmp_path / "out").exists()
