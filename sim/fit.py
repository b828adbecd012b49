"""The circuit that layers need: what follows from them, and what a circuit cannot run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hwgen.config import HardwareConfig
from hwgen.folded import folded
from hwgen.tiling import Tiling
from hwgen.weights import passes
from models.bitplane import BitplaneLayer
from models.codes import Activation, Requantize, Transform
from models.stage import Stage

FITTED = (
    "k", "terms", "views", "exponents", "act_bits", "act_signed", "columns", "requantize_bits",
)  # fmt: skip
"""Parameters that follow from layers where they are not given."""

Codes = Activation | Transform | Requantize


def coded_stages(layer: BitplaneLayer) -> Iterator[tuple[Stage, Codes]]:
    """Give each stage of a layer, with what makes its integers."""
    for path in layer.paths:
        before = None
        for stage in path.stages:
            codes = stage.codes or before
            if codes is not None:  # a path's first stage has an activation
                yield stage, codes
            before = stage.requantize


def fitted(layers: Iterable[BitplaneLayer], given: Mapping[str, Any]) -> HardwareConfig:
    """Return the smallest circuit for layers with all parameters that are given.

    Raises
    ------
    ValueError
        A parameter is out of range, or the circuit with these parameters cannot run a layer.
    """
    layers = list(layers)
    stages = [one for layer in layers for one in coded_stages(layer)]
    base = HardwareConfig(**{
        key: given[key] for key in ("kind", "ternary", "lanes", "coef_bits") if key in given
    })
    signed = given.get("act_signed", any(_signed(codes) for _, codes in stages))
    planes = max(stage.k for stage, _ in stages)
    terms = max(len(passes(stage, base)) for stage, _ in stages)
    weights = planes if base.kind == "popcount" else terms
    need = {
        "k": 2 * weights if base.signed_weights else weights,
        "terms": terms if terms > weights else 0,
        "act_bits": max(codes.bits + (signed and not _signed(codes)) for _, codes in stages),
        "act_signed": signed,
        "views": max(stage.views for stage, _ in stages),
        "exponents": max(_exponents(codes) for _, codes in stages),
        "columns": max(base.lanes * _vector_words(stage, base) for stage, _ in stages),
        "requantize_bits": max(
            stage.requantize.bits if stage.requantize else 0 for stage, _ in stages
        ),
    }
    config = HardwareConfig(**(need | dict(given)))
    for layer in layers:
        check(layer, config)
    return config


def check(layer: BitplaneLayer, config: HardwareConfig) -> None:
    """Raise ``ValueError``, with the name of the layer, unless the circuit can run it."""
    for stage, codes in coded_stages(layer):
        try:
            Tiling.of(stage, config, codes.bits)
        except ValueError as error:
            raise ValueError(f"layer {layer.name}: {error}") from error


def _signed(codes: Codes) -> bool:
    return codes.signed if isinstance(codes, Activation) else True


def _exponents(codes: Codes) -> int:
    return codes.exponents if isinstance(codes, Activation) else 0


def _vector_words(stage: Stage, config: HardwareConfig) -> int:
    """Activation words of a vector, all views, as each group takes whole ones."""
    lanes, stage = config.lanes, folded(stage, config.coef_bits)
    tail = stage.columns - stage.group * (stage.groups - 1)
    words = (stage.groups - 1) * -(-stage.group // lanes) + -(-tail // lanes)
    return stage.views * words
