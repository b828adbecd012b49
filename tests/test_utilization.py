"""Utilization on the shapes of models: by hand, and above the bar on the default circuits."""

import subprocess
import sys

import pytest

from hwgen.config import KINDS, HardwareConfig
from sim.utilization import SHAPES, uses, whole


def test_by_hand() -> None:
    """576 x 576 on 50 rows of 50 lanes: 12 tiles of 9 groups of 2 words for 64 columns each."""
    use = uses("smollm2-135m", 64, 2, HardwareConfig(pe=50, lanes=50))[0]
    assert (use.out, use.inputs, use.count) == (576, 576, 30)
    assert use.cycles == 12 * 9 * 2 * 2 * 8
    assert use.utilization == pytest.approx(576 * 576 / (12 * 50 * 9 * 100))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", SHAPES)
def test_default_circuits_are_busy(model: str, kind: str) -> None:
    for group in (0, 64, 128):
        layers = uses(model, group, 2 if kind == "popcount" else 1, HardwareConfig(kind=kind))
        assert whole(layers) >= 0.95, group


def test_unknown_model() -> None:
    command = [sys.executable, "-m", "sim", "utilization", "gpt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = "model must be one of smollm2-135m, llama-2-7b, got gpt"
    assert (done.returncode, done.stderr) == (2, f"python -m sim: error: {line}\n")
