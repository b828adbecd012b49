"""What formats and codes of inputs cost the outputs of real layers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import get_type_hints

from models.checks import require
from models.codes import Activation
from models.dense import dense
from models.exact import tensor
from models.formats import parse
from models.formats.spec import require_choice
from models.llm import LLM, capture, find_layer, linear_layers
from models.lower import real_matrix
from models.reference import run
from models.studies.errors import decibels, error

ROW = "{:<22} {:<42} {:<34} {:>8} {:>9} {:>9}"


@dataclass(frozen=True)
class Row:
    """A format on a layer: bits stored for a weight, and errors of the output.

    Errors are energies over that of the float layer's output: of the real matrix on float inputs
    (None if there is none), and of the integers on coded inputs.
    """

    layer: str
    format: str
    activation: str
    bits_per_weight: float
    matrix: float | None
    integers: float


def parse_activation(text: str) -> Activation:
    """Read how inputs become codes, as ``token:bits=8`` or ``group:bits=8,group=64,exponents=3``.

    Raises
    ------
    ValueError
        A name or value is none that :class:`Activation` takes.
    """
    scale, _, rest = text.partition(":")
    kinds, known = get_type_hints(Activation), [one.name for one in fields(Activation)]
    options: dict[str, float | int] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        require_choice(f"option of activation {text}", key, tuple(set(known) - {"scale", "signed"}))
        try:
            options[key] = kinds[key](value)
        except ValueError:
            require(False, f"{key} of activation {text}", "be a number", repr(value))
    return Activation(signed=options.get("bits") != 1, **{"scale": scale, **options})


def format_errors(
    llm: LLM, prompt: str, names: Sequence[str], formats: Sequence[str], activations: Sequence[str]
) -> list[Row]:
    """Quantize layers for the first half of a prompt's tokens; measure on the second.

    Parameters
    ----------
    names : sequence of str
        Layers, as ``find_layer`` takes them.
    formats, activations : sequence of str
        As :func:`models.formats.parse` and :func:`parse_activation` read them; all pairs are
        tried.

    Raises
    ------
    ValueError
        As :func:`models.llm.capture`, or a layer cannot have a format.
    """
    codes = {text: parse_activation(text) for text in activations}
    specs = {text: parse(text) for text in formats}
    reached, layers = capture(llm, prompt, names), linear_layers(llm)
    rows = []
    for name in names:
        full = find_layer(llm, name)
        matrix = real_matrix(layers[full].weight)
        before, inputs = (part.float() for part in reached[name].tensor_split(2))
        hessian = before.T @ before / len(before)
        want = inputs.double().numpy() @ matrix.double().numpy().T
        for text, spec in specs.items():
            for label, activation in codes.items():
                layer = spec.quantize(matrix, full, activation, hessian)
                own = None
                if activation.bits > 1:
                    own = error(inputs.double() @ tensor(dense(layer)).double().T, want)
                rows.append(Row(full, text, label, layer.bits_per_weight, own,
                                error(run(layer, inputs), want)))  # fmt: skip
    return rows


def report(rows: Sequence[Row]) -> str:
    """Return the rows as a table, errors in decibels: -10 is a tenth of the output's energy."""
    lines = [ROW.format("layer", "format", "activation", "bits/w", "matrix", "integers")]
    for row in rows:
        name = row.layer.removeprefix("model.layers.")
        matrix = "" if row.matrix is None else decibels(row.matrix)
        lines.append(ROW.format(name, row.format, row.activation, f"{row.bits_per_weight:.3f}",
                                matrix, decibels(row.integers)))  # fmt: skip
    return "\n".join(lines)
