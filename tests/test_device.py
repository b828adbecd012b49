"""Everything of a layer is where its inputs are: tensors of two devices would not mix.

The other device is torch's meta device, on which nothing is computed but shapes, types and devices.
"""

import pytest
import torch
from torch import Tensor

from models import encode
from models.bitplane import BitplaneLayer
from models.calibration.coded import CodedLinear
from models.calibration.wanted import Sums
from models.codes import Activation
from models.device import choose_device, machine, product_type
from models.formats import parse
from models.modules import DenseLinear, ReferenceLinear
from models.training import distillation
from models.training.linear import TrainedLinear

META = torch.device("meta")
WEIGHT = torch.randn(48, 64, generator=torch.Generator().manual_seed(0))
SINGLE = ["signs:k=2,group=36,coef_bits=8", "ternary", "billm:salient=2,block=32", "jsq:bits=4",
          "sdq:osr=2.0", "onebit"]  # fmt: skip


def made(text: str) -> BitplaneLayer:
    return parse(text).quantize(WEIGHT, "layer", Activation())


def answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer what depends on values, which are not there."""
    monkeypatch.setattr(encode.quantize, "__defaults__", (False,))
    monkeypatch.setattr(Tensor, "__bool__", lambda _: False)
    monkeypatch.setattr(Tensor, "__float__", lambda _: 1.0)
    monkeypatch.setattr(Tensor, "__int__", lambda _: 0)


@pytest.mark.parametrize("text", [*SINGLE, "dbf:bits=2"])
def test_layers_run_elsewhere(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made(text)
    answer(monkeypatch)
    x = torch.empty(2, 5, 64, device=META)
    for module in (ReferenceLinear(layer), DenseLinear(layer)):
        y = module.to(META)(x)
        assert (y.shape, y.device) == ((2, 5, 48), META)
    y = CodedLinear(layer, torch.bfloat16).to(META)(x.bfloat16())
    assert (y.shape, y.device, y.dtype) == ((2, 5, 48), META, torch.bfloat16)


@pytest.mark.parametrize("text", SINGLE)
def test_layers_learn_elsewhere(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made(text)
    answer(monkeypatch)
    learner = TrainedLinear(layer, WEIGHT, 0, torch.bfloat16, META)
    x = torch.empty(2, 5, 64, device=META, dtype=torch.bfloat16, requires_grad=True)
    learner(x).float().sum().backward()
    assert x.grad is not None
    for levels in learner.levels():
        levels.gather()
        assert levels.coefficients.grad is not None
        assert levels.coefficients.grad.shape == levels.coefficients.shape
        assert levels.choose().device == META


def test_sums_and_divergence_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch)
    sums = Sums()
    x = torch.empty(5, 8, device=META)
    for _ in range(2):
        sums.add(x, x, x.new_ones(5))
    assert (sums.hessian.shape, sums.hessian.device) == ((8, 8), META)
    monkeypatch.setitem(distillation.ROWS, "meta", 4)
    logits = torch.empty(9, 7, device=META, requires_grad=True)
    distillation.divergence(logits, torch.empty(9, 7, device=META)).backward()
    assert logits.grad is not None


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert f", {torch.get_num_threads()} threads, " in machine(torch.device("cpu"))
    with pytest.raises(ValueError, match=r"^device must be one of cpu.*, got tpu$"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("capability", "want"), [("AVX2", torch.float32), ("AVX512", torch.bfloat16)]
)
def test_processors_multiply_in_what_they_have(
    capability: str, want: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    cpu = torch.device("cpu")
    assert product_type(cpu) == want
    assert machine(cpu).endswith(str(want).removeprefix("torch."))
    assert product_type(torch.device("cuda")) == torch.bfloat16
