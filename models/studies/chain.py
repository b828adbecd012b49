"""How many bits the codes between the stages of a chain need, on real layers and inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.bitplane import BitplaneLayer
from models.chain import assumed_inputs, chain_path
from models.codes import Activation
from models.formats.dbf import Product
from models.llm import LLM, capture, find_layer, linear_layers
from models.lower import real_matrix
from models.reference import run
from models.studies.errors import decibels, error

WIDTHS = (4, 6, 8, 10, 12, 16)
ROW = "{:<34} {:<10} " + " {:>8}" * len(WIDTHS)


@dataclass(frozen=True)
class Row:
    """Errors of one layer's output: their energy over that of the output that it should have.

    Attributes
    ----------
    weights : float
        Of the format: the product of signs in float, against the layer's own matrix.
    assumed, calibrated : tuple of float
        Of the integers with 8-bit inputs, against the product of signs, by ``WIDTHS``. The scale
        between the stages is from assumed inputs, or from real ones of other tokens.
    """

    layer: str
    weights: float
    assumed: tuple[float, ...]
    calibrated: tuple[float, ...]


def chain_width(llm: LLM, prompt: str, names: Sequence[str], spec: Product) -> list[Row]:
    """Compare widths on the second half of a prompt; the first half is for calibration.

    Parameters
    ----------
    names : sequence of str
        Layers, as ``find_layer`` takes them.

    Raises
    ------
    ValueError
        As :func:`models.llm.capture`, or a layer cannot have the format.
    """
    reached, layers = capture(llm, prompt, names), linear_layers(llm)
    rows = []
    for name in names:
        full = find_layer(llm, name)
        matrix = real_matrix(layers[full].weight)
        before, inputs = reached[name].tensor_split(2)
        chains = spec.chains(matrix)
        product = np.sum([chain.matrix for chain in chains], axis=0)
        want = inputs.double().numpy() @ product.T
        own = inputs.double().numpy() @ matrix.double().numpy().T
        found: list[tuple[float, ...]] = []
        for sample in (assumed_inputs(matrix.shape[1]), before):
            paths = [
                tuple(chain_path(chain, Activation(), bits, sample) for chain in chains)
                for bits in WIDTHS
            ]
            outputs = [run(BitplaneLayer(full, matrix.shape[1], path), inputs) for path in paths]
            found.append(tuple(error(output, want) for output in outputs))
        rows.append(Row(full, error(torch.from_numpy(want), own), *found))
    return rows


def report(rows: Sequence[Row]) -> str:
    """Return the errors as a table, in decibels: -10 is a tenth of the output's energy."""
    lines = [
        ROW.format("layer, error of its weights", "scale from", *map("{} bits".format, WIDTHS))
    ]
    for row in rows:
        name = row.layer.removeprefix("model.layers.")
        label = f"{name}, {decibels(row.weights)}"
        lines.append(ROW.format(label, "assumed", *map(decibels, row.assumed)))
        lines.append(ROW.format("", "inputs", *map(decibels, row.calibrated)))
    return "\n".join(lines)
