"""Bits are wrong where they are said to be, and campaigns of them go on where they stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from builders import random_stage

import sim.__main__
from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.codes import Activation
from models.formats import parse
from models.llm import load, tokens_of
from models.planes import pack, unpack
from models.quantize import choose, quantize_model
from models.store import open_layers
from sim import faults
from sim.engine import Engine
from sim.faults import Campaign, resumed, run_campaign
from sim.jobs import Job
from sim.upsets import SITES, run_upset, storage

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64)
RNG = np.random.default_rng(4)
STAGE = random_stage(RNG, 4, 16, 2, 16)  # a tile of two words
CODES = RNG.integers(-128, 128, (2, 1, 16))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(CONFIG, upsets=True)


def upset(engine: Engine, **places: list[tuple[int, ...]]) -> np.ndarray:
    boxes = {site: np.array(where) for site, where in places.items()}
    return run_upset(engine, STAGE, 16, CODES, None, boxes)


def test_nothing_wrong(engine: Engine) -> None:
    assert (upset(engine) == Job(STAGE, CODES).expected()).all()


@pytest.mark.parametrize(
    ("word", "row", "plane", "lane"), [(0, 0, 0, 0), (1, 2, 1, 5), (1, 3, 1, 7)]
)
def test_wrong_weight(engine: Engine, word: int, row: int, plane: int, lane: int) -> None:
    bits = unpack(STAGE.planes, 16).astype(bool)
    bits[plane, row, 8 * word + lane] ^= True
    wanted = Job(replace(STAGE, planes=pack(bits)), CODES).expected()
    got = upset(engine, weights=[(word, (row * 2 + plane) * 8 + lane)])
    assert (got == wanted).all()
    assert (got != Job(STAGE, CODES).expected()).any()


@pytest.mark.parametrize(("word", "lane", "bit"), [(0, 0, 0), (1, 5, 7), (3, 7, 3)])
def test_wrong_activation(engine: Engine, word: int, lane: int, bit: int) -> None:
    codes = CODES.astype(np.int8)
    codes[word // 2, 0, 8 * (word % 2) + lane] ^= np.int8(-128) if bit == 7 else np.int8(1 << bit)
    got = upset(engine, activations=[(word, 8 * lane + bit)])
    assert (got == Job(STAGE, codes.astype(np.int64)).expected()).all()


def test_wrong_accumulators(engine: Engine) -> None:
    """A bit of a total that turns before its row ends is off by just that bit."""
    right = Job(STAGE, CODES).expected()
    cycles = storage("accumulators", Tiling.of(STAGE, CONFIG), CONFIG, 2).box[0]
    seen = set()
    for cycle in range(cycles):
        change = upset(engine, accumulators=[(cycle, 0, 1, 20)]) - right
        seen |= set(np.abs(change[change != 0]).tolist())
    assert seen <= {1 << 20}
    sums = [upset(engine, accumulators=[(cycle, 0, 4, 2)]) - right for cycle in range(cycles)]
    assert any(change.any() for change in sums)


def test_places_are_different_and_inside() -> None:
    for site in SITES:
        store = storage(site, Tiling.of(STAGE, CONFIG), CONFIG, 2)
        places = store.draw(np.random.default_rng(1), 40)
        assert len({tuple(place) for place in places.tolist()}) == min(40, store.size)
        assert (places < np.array(store.box)).all()
        assert places.shape[1] == len(store.box)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    llama = tiny.save(tmp_path_factory.mktemp("llama"))
    model = load(str(llama))
    made = llama.parent / "layers.safetensors"
    info = {"model": str(llama), "format": "signs"}
    quantize_model(model, choose(model), parse("signs:k=2,group=16"), Activation(), made, info)
    return made


def campaign(file: Path, state: Path, stop: int = 100) -> Campaign:
    start = Campaign(seed=3, tokens=6, counts=[1, 400], trials=2, content="x")
    llm = load(str(file.parent / "llama0"))
    ids = tokens_of(llm, "on two n o on two")
    ran = 0

    def progress() -> None:
        nonlocal ran
        ran += 1
        if ran == stop:
            raise KeyboardInterrupt

    with open_layers(file) as layers:
        return run_campaign(llm, layers, ids, CONFIG, start, state, progress)


def test_stopped_campaign_goes_on(file: Path, tmp_path: Path) -> None:
    whole = campaign(file, tmp_path / "whole.json")
    assert len(whole.done) == 3 * 2 * 2
    state = tmp_path / "stopped.json"
    with pytest.raises(KeyboardInterrupt):
        campaign(file, state, stop=5)
    assert len(resumed(whole, state).done) == 5
    assert campaign(file, state) == whole
    for site in SITES:
        worst = [trial.divergence or 9e9 for trial in whole.done if trial.site == site]
        assert max(worst[2:]) > 0, site
    assert "accumulators" in faults.table(whole)


def test_no_wrong_bits_no_difference(file: Path) -> None:
    llm = load(str(file.parent / "llama0"))
    ids = tokens_of(llm, "on two n o on two")
    logits = faults._logits(llm, ids)
    trial = faults._trial(llm, ids, logits, "weights", 0, 0)
    assert (trial.divergence, trial.changed, trial.logit) == (0, 0, 0)
    assert trial.loss == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])), rel=1e-5
    )


def test_command(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("on two n o on two")
    arguments = ["sim", "faults", str(file), "--text", str(text), "--tokens", "4",
                 "--bits", "9", "--trials", "1", "--state", str(tmp_path / "state.json"),
                 "--picture", str(tmp_path / "faults.png"),
                 "--pe", "4", "--lanes", "8"]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    sim.__main__.main()
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3
    assert (tmp_path / "faults.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr("sys.argv", [*arguments[:5], "--tokens", "99", *arguments[7:]])
    with pytest.raises(ValueError, match=r"^text must have 99 tokens or more, got 6$"):
        sim.__main__.main()
