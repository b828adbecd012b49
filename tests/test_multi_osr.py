"""MultiOSR against its formulas, with numbers worked out by hand."""

import re

import pytest
import torch

from models.formats.multi_osr import Moments, moments_of, multi_osr
from models.formats.sdq import Sdq


def spread(deviation: float, count: int = 100) -> Moments:
    """Moments of weights about zero."""
    return Moments(count, 0.0, count * deviation**2)


def ratios(average: float, layers: dict[str, Moments]) -> list[float]:
    return [spec.osr for spec in multi_osr(Sdq(osr=average), layers).values()]


def test_blocks_of_small_weights_get_more() -> None:
    # shares 1/1 and 1/4 of 2 * (2 - 1): 2.6 and 1.4, in quarters
    assert ratios(2.0, {"l.0.a": spread(1), "l.1.a": spread(2)}) == [2.5, 1.5]
    # base 2.25, shares 1 and 1/4 of 2 * 0.75: 3.45 and 2.55, whose quarters 3.5 and 2.5 average 3
    assert ratios(3.0, {"l.0.a": spread(1), "l.1.a": spread(2)}) == [3.5, 2.5]
    # base 3.75, exponent 1.5: shares 1 and 0.3536 of 2 * 1.25: 5.597 and 4.403
    assert ratios(5.0, {"l.0.a": spread(1), "l.1.a": spread(2)}) == [5.5, 4.5]


def test_rounded_ratios_are_brought_to_the_average() -> None:
    # shares 1 and three of 1/9 of 4: 4 and 1.33, in quarters of mean 1.94; times 2 / 1.94
    layers = {f"l.{n}.a": spread(1 if n == 0 else 3) for n in range(4)}
    assert ratios(2.0, layers) == [4.25, 1.25, 1.25, 1.25]
    # base 1.6875, of 4 * 0.5625: 3.375 and 1.875, in quarters, halves to even, of mean 2.375
    assert ratios(2.25, layers) == [3.25, 2.0, 2.0, 2.0]


def test_layers_share_their_block() -> None:
    # the block has 2; k = 1 / (0.75 + 0.25 * 2^-1.5) = 1.1927: 2.19 and 1.42
    block = {"l.0.wide": spread(1, 300), "l.0.small": spread(2, 100)}
    assert ratios(2.0, block) == [2.25, 1.5]
    # the block has 4, base 3, exponent 0.1: k = 1 / (0.75 + 0.25 * 0.933) = 1.0170: 4.02 and 3.95
    assert ratios(4.0, block) == [4.0, 4.0]


def test_blocks_are_known_by_their_names() -> None:
    names = ["model.layers.1.self_attn.q_proj", "model.layers.11.mlp.up", "lm_head"]
    apart = ratios(2.0, {name: spread(n + 1) for n, name in enumerate(names)})
    assert apart == ratios(2.0, {f"l.{n}.a": spread(n + 1) for n in range(3)})
    same = {"model.layers.1.a": spread(1), "model.layers.1.mlp.2.b": spread(1)}
    assert ratios(2.0, same) == [2.0, 2.0]


def test_options_stay() -> None:
    spec = Sdq(levels="binary", osr=2.0, block=16)
    found = multi_osr(spec, {"l.0.a": spread(1), "l.1.a": spread(2)})
    assert list(found) == ["l.0.a", "l.1.a"]
    assert found["l.0.a"] == Sdq(levels="binary", osr=2.5, block=16)


def test_moments_are_those_of_all_weights() -> None:
    one, other = (torch.randn(5, 9, generator=torch.Generator().manual_seed(n)) for n in range(2))
    both = torch.cat([one + 3, other])
    found = moments_of(one + 3) + moments_of(other)
    assert found.count == 90
    assert found.deviation == pytest.approx(float(both.double().std(correction=0)))


@pytest.mark.parametrize(
    ("spec", "layers", "text"),
    [
        (
            Sdq(),
            {"l.0.a": spread(0)},
            "weights of layer l.0.a must differ for MultiOSR, got one value",
        ),
        (
            Sdq(),
            {f"l.{n}.a": spread(0.1 if n == 0 else 9) for n in range(20)},
            "layer l.0.a: osr must be from 1 to 8, got 21.0",
        ),
        (
            Sdq(block=2),
            {"l.0.a": spread(1), "l.1.a": spread(3)},
            "layer l.0.a: osr times block must be a whole number, as with osr 3, got 5.5",
        ),
    ],
)
def test_bad_ratios_are_refused(spec: Sdq, layers: dict[str, Moments], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        multi_osr(spec, layers)
