"""The main job: a real model, quantized, and its layers verified on generated RTL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hwgen.__main__ import write_set
from hwgen.config import HardwareConfig
from models import formats
from models.codes import Activation
from models.llm import LLM, linear_layers, load
from models.quantize import choose, quantize_model
from models.store import open_layers
from sim.engine import Engine
from sim.fit import fitted
from sim.layer import run_layer
from sim.real import errors_of, inputs_of
from sim.report import Result


def one_of_each(llm: LLM) -> list[str]:
    """Return the first layer of each kind: of each ending of a name, such as ``mlp.down_proj``."""
    found: dict[str, str] = {}
    for name in linear_layers(llm):
        found.setdefault(".".join(name.split(".")[-2:]), name)
    return list(found.values())


def quantized(llm: LLM, text: str, act_bits: int, file: Path) -> Path:
    """Quantize the whole model unless ``file`` holds just that already."""
    info = {"model": llm.source, "format": text, "layers": "*", "act_bits": str(act_bits)}
    if file.exists():
        with open_layers(file) as layers:
            if layers.info == info:
                return file
    activation = Activation(bits=act_bits, signed=act_bits > 1)
    quantize_model(llm, choose(llm), formats.parse(text), activation, file, info)
    return file


def run_demo(
    model: str, text: str, prompt: str, given: Mapping[str, Any], folder: Path
) -> tuple[list[Result], HardwareConfig]:
    """Quantize a model, generate its RTL, and run one layer of each kind on it.

    Leaves the quantized model and the RTL in ``folder``.

    Parameters
    ----------
    given : dict of str to value
        Parameters of the circuit; the others are fitted to the layers.

    Returns
    -------
    list of (LayerRun, Errors)
    HardwareConfig
    """
    formats.parse(text)  # before anything slow
    llm = load(model)
    folder.mkdir(parents=True, exist_ok=True)
    file = quantized(llm, text, given.get("act_bits", 8), folder / "layers.safetensors")
    names = one_of_each(llm)
    with open_layers(file) as layers:
        chosen = [layers.layer(name) for name in names]
    config = fitted(chosen, given)
    write_set(config, folder / "rtl")
    inputs = inputs_of(llm, names, prompt)
    results = []
    engine = Engine(config)
    for layer in tqdm(chosen, desc="on the RTL", unit="layer", leave=False):
        run = run_layer(layer, inputs[layer.name], engine)
        results.append((run, errors_of(llm, layer, inputs[layer.name], run)))
    engine.close()
    return results, config
