"""A model quantized into a file of layers."""

import json
from argparse import Namespace
from math import isfinite
from pathlib import Path

from models.checks import require
from models.cli import Commands
from models.commands import show
from models.commands.flags import (
    CALIBRATE,
    MODEL,
    OUT,
    activation_of,
    add_activation,
    add_device,
)
from models.files import check_output
from models.store import FORMATS

EXAMPLE = (
    "python -m models quantize smollm2 --format signs:k=2,group=36,coef_bits=8 "
    "-o build/k2.safetensors"
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("quantize", "Quantize the linear layers of a model.", run, EXAMPLE)
    sub.add_argument("model", help=MODEL)
    sub.add_argument("--format", required=True, nargs="+", metavar="FORMAT",
                     help="name:key=value,...; two or more with --budget")  # fmt: skip
    sub.add_argument("--budget", type=float, metavar="BITS",
                     help="a format for each layer, so many bits a weight in all")  # fmt: skip
    sub.add_argument("-o", dest="file", type=Path, required=True, help=OUT)
    add_activation(sub)
    sub.add_argument("--layers", default="*", help="shell pattern of layer names (default: all)")
    sub.add_argument("--calibrate", default="self", metavar="TEXT", help=CALIBRATE)
    sub.add_argument("--windows", type=int, default=32, help="of that text (default: 32)")
    sub.add_argument("--context", type=int, help="tokens a window (default: 1024, or the model's)")
    sub.add_argument("--migrate", choices=["none", "smooth", "gamma", "os+"], default="none",
                     help="move outliers from inputs to weights (default: none)")  # fmt: skip
    sub.add_argument("--rotate", type=int, default=0, metavar="BLOCK",
                     help="rotate inputs by Hadamard matrices of this size")  # fmt: skip
    add_device(sub)
    sub.add_argument("--head", action="store_true",
                     help="the layer of the logits, too, whatever --layers says")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Quantize a model into a file and say how large it became."""
    from models.formats import parse as parse_format
    from models.formats.several import several

    specs = {text: parse_format(text) for text in several(";".join(arguments.format))}
    budget, count = arguments.budget, len(specs)
    if budget is None:
        require(count == 1, "--format", "be one without --budget", count)
    else:
        require(count > 1, "--format", "be two or more different ones with --budget", count)
        rule = "be a number of bits a weight, above 0"
        require(isfinite(budget) and budget > 0, "--budget", rule, budget)
    check_output(arguments.file)
    activation = activation_of(arguments)
    from models.budget import formats_within
    from models.calibration.migration import Migration
    from models.calibration.text import calibration_windows
    from models.device import choose_device
    from models.llm import load
    from models.quantize import choose, quantize_model

    info = {"model": arguments.model, "format": " ".join(specs), "layers": arguments.layers}
    info |= activation.info
    if arguments.head:
        info["head"] = "quantized"
    device = choose_device(arguments.device)
    llm = load(arguments.model)
    chosen = choose(llm, arguments.layers, arguments.head)
    how, windows = Migration(arguments.migrate, arguments.rotate), None
    if arguments.calibrate != "none":
        windows = calibration_windows(
            llm, arguments.calibrate, arguments.windows, arguments.context
        )
        count, context = windows.shape
        info |= {"calibrate": arguments.calibrate, "windows": f"{count} x {context}"}
    elif arguments.migrate != "none":
        raise ValueError(f"--migrate must have a text to calibrate with, got {arguments.migrate}")
    info |= {"migrate": arguments.migrate} if arguments.migrate != "none" else {}
    info |= {"rotate": str(arguments.rotate)} if arguments.rotate else {}
    spec = next(iter(specs.values()))
    if budget is not None:
        if windows is None:
            raise ValueError("--budget must have a text to calibrate with, got none")
        found = formats_within(
            budget, llm, windows, chosen, list(specs), how, activation, arguments.file, info, device
        )
        info |= {"budget": str(budget), FORMATS: json.dumps(found)}
        spec = {name: specs[text] for name, text in found.items()}.__getitem__
    quantize_model(llm, chosen, spec, activation, arguments.file, info, windows, how, device)
    show.run(Namespace(file=arguments.file, json=False))
