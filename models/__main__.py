"""Command line of the numbers: formats, quantize, show, eval, study, bench."""

import json
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

from models.bitplane import BitplaneLayer
from models.cli import Commands, run
from models.codes import Activation
from models.store import open_layers
from models.training.settings import Settings

PROGRAM = "python -m models"
CALIBRATE = (
    "a text file, hub:NAME[:SPLIT[:CONFIG]] for a data set of the Hub, self for text that the "
    "model makes up, or none to look at weights only (default: self)"
)
EXAMPLE = """examples:
  python -m models formats
  python -m models quantize smollm2 --format sbvr:k=2,group=64 -o build/smollm2.safetensors
  python -m models show build/smollm2.safetensors
  python -m models eval build/smollm2.safetensors --text text.txt"""


def main() -> None:
    """Parse the command line and do what it says."""
    commands = Commands(PROGRAM, "Formats, quantized models and the exact reference.", EXAMPLE)
    commands.add("formats", "List the formats with their options.", show_formats)
    sub = commands.add("quantize", "Quantize the linear layers of a model.", quantize)
    sub.add_argument("model", help="smollm2, a GGUF file, a Transformers folder or a Hub name")
    sub.add_argument("--format", required=True, help="format and options: name:key=value,...")
    sub.add_argument("-o", dest="file", type=Path, required=True, help="file to write")
    sub.add_argument("--act-bits", type=int, default=8, help="activation bits (default: 8)")
    sub.add_argument("--layers", default="*", help="shell pattern of layer names (default: all)")
    sub.add_argument("--calibrate", default="self", metavar="TEXT", help=CALIBRATE)
    sub.add_argument("--windows", type=int, default=32, help="of that text (default: 32)")
    sub.add_argument("--context", type=int, help="tokens a window (default: 1024, or the model's)")
    sub = commands.add("show", "Show what a file of layers holds.", show)
    sub.add_argument("file", type=Path)
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = commands.add(
        "eval", "Perplexity in float, with quantized weights, and in integers.", evaluate
    )
    sub.add_argument("file", type=Path)
    sub.add_argument("--text", type=Path, required=True, help="file with the text, UTF-8")
    sub.add_argument("--tokens", type=int, default=20000, help="at most so many (default: 20000)")
    sub.add_argument("--context", type=int, default=1024, help="tokens a window (default: 1024)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--batch", type=int, default=1, help="windows read at once (default: 1)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = commands.add("train", "Learn back what quantization lost, from the float model.", train)
    sub.add_argument("file", type=Path, help="file of layers to start from")
    sub.add_argument("-o", dest="output", type=Path, required=True, help="file to write")
    sub.add_argument("--text", default="self", help="as --calibrate of quantize (default: self)")
    sub.add_argument("--windows", type=int, default=128, help="of that text (default: 128)")
    sub.add_argument("--context", type=int, default=512, help="tokens a window (default: 512)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--device", default="", help="cpu or cuda (default: cuda if there is one)")
    for option in fields(Settings):
        kind = type(option.default)
        flag, meaning = f"--{option.name.replace('_', '-')}", option.metadata["help"]
        sub.add_argument(flag, type=kind, default=option.default,
                         help=f"{meaning} (default: {option.default})")  # fmt: skip
    sub = commands.add("study", "Errors by the width of the codes between two stages.", study)
    sub.add_argument("subject", choices=["chain"])
    sub.add_argument("model", help="as for quantize")
    sub.add_argument("layers", nargs="+", help="names of layers, or their ends")
    sub.add_argument("--text", type=Path, required=True, help="file with the text, UTF-8")
    sub.add_argument("--tokens", type=int, default=1024, help="of the text (default: 1024)")
    sub.add_argument("--format", default="dbf", help="format and options (default: dbf)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = commands.add(
        "bench", "Time the reference against float layers of the same shapes.", bench
    )
    sub.add_argument("--threads", type=int, default=1, help="of the products (default: 1)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    commands.run()


def show_formats(_: Namespace) -> None:
    """Print a line for each format."""
    from models.formats import FORMATS, describe

    for name in FORMATS:
        print(describe(name))


def quantize(arguments: Namespace) -> None:
    """Quantize a model into a file and say how large it became."""
    from models.formats import parse as parse_format

    spec = parse_format(arguments.format)
    activation = Activation(bits=arguments.act_bits, signed=arguments.act_bits > 1)
    from models.calibration.text import calibration_windows
    from models.llm import load
    from models.quantize import choose, quantize_model

    info = {"model": arguments.model, "format": arguments.format, "layers": arguments.layers,
            "act_bits": str(arguments.act_bits)}  # fmt: skip
    llm = load(arguments.model)
    choose(llm, arguments.layers)
    windows = None
    if arguments.calibrate != "none":
        windows = calibration_windows(
            llm, arguments.calibrate, arguments.windows, arguments.context
        )
        count, context = windows.shape
        info |= {"calibrate": arguments.calibrate, "windows": f"{count} x {context}"}
    quantize_model(llm, spec, activation, arguments.file, info, arguments.layers, windows)
    show(Namespace(file=arguments.file, json=False))


def show(arguments: Namespace) -> None:
    """Print a line for each layer and the sum."""
    with open_layers(arguments.file) as file:
        rows = [_row(file.layer(name)) for name in file.names]
        info = file.info
    weights = sum(row["out"] * row["in"] for row in rows)
    bits = sum(row["stored_bits"] for row in rows)
    total = {"weights": weights, "bits_per_weight": round(bits / weights, 4)}
    if arguments.json:
        print(json.dumps({"info": info, **total, "layers": rows}, indent=2))
        return
    for row in rows:
        shape = f"{row['out']} x {row['in']}"
        print(f"{row['layer']:<44} {shape:>12}  k={row['k']}  {row['bits_per_weight']:.3f} b/w")
    print(f"{arguments.file}: {', '.join(f'{key} {value}' for key, value in info.items())}")
    print(f"{len(rows)} layers, {weights} weights, {bits / weights:.3f} bits/weight")


def _row(layer: BitplaneLayer) -> dict:
    return {
        "layer": layer.name,
        "out": layer.out,
        "in": layer.inputs,
        "k": max(stage.k for path in layer.paths for stage in path.stages),
        "stored_bits": layer.stored_bits,
        "bits_per_weight": round(layer.bits_per_weight, 4),
    }


def evaluate(arguments: Namespace) -> None:
    """Print the perplexity of a file's model."""
    with open_layers(arguments.file) as file:
        source = arguments.model or file.info.get("model")
        if not source:
            raise ValueError(f"--model must be given, as {arguments.file} names none")
        from models import eval as evaluation
        from models.llm import load

        llm = load(source)
        windows = evaluation.read_windows(llm, arguments.text, arguments.tokens, arguments.context)
        results = list(evaluation.evaluate(llm, file, windows, arguments.batch))
    if arguments.json:
        print(json.dumps(evaluation.figures(results, windows), indent=2))
        return
    print(f"{arguments.file}: {source}, {windows.numel()} tokens in {len(windows)} windows of "
          f"{windows.shape[1]} from {arguments.text}")  # fmt: skip
    print(evaluation.report(results))


def train(arguments: Namespace) -> None:
    """Train the layers of a file into another one."""
    settings = Settings(**{one.name: getattr(arguments, one.name) for one in fields(Settings)})
    with open_layers(arguments.file) as file:
        source = arguments.model or file.info.get("model")
        if not source:
            raise ValueError(f"--model must be given, as {arguments.file} names none")
        from models.calibration.text import calibration_windows
        from models.llm import load
        from models.training.run import choose_device, train_model

        device = choose_device(arguments.device)
        llm = load(source)
        windows = calibration_windows(llm, arguments.text, arguments.windows, arguments.context)
        text = f"{arguments.text}, {arguments.windows} x {arguments.context}"
        train_model(llm, file, windows, settings, arguments.output, text, device)
    show(Namespace(file=arguments.output, json=False))


def study(arguments: Namespace) -> None:
    """Print what chains lose between their stages."""
    from dataclasses import asdict

    from models.eval import read_windows
    from models.formats import parse as parse_format
    from models.formats.dbf import Product
    from models.llm import load
    from models.study import chain_width, report

    spec = parse_format(arguments.format)
    if not isinstance(spec, Product):
        raise ValueError(f"format must be one of chains, got {arguments.format!r}")
    llm = load(arguments.model)
    tokens = read_windows(llm, arguments.text, arguments.tokens, arguments.tokens)
    prompt = str(llm.tokenizer.decode(tokens[0]))
    rows = chain_width(llm, prompt, arguments.layers, spec)
    print(json.dumps([asdict(row) for row in rows], indent=2) if arguments.json else report(rows))


def bench(arguments: Namespace) -> None:
    """Time the reference."""
    from models.bench import measure, report

    figures = measure(arguments.threads)
    print(json.dumps(figures, indent=2) if arguments.json else report(figures))


if __name__ == "__main__":
    run(PROGRAM, main)
