"""Command line of the numbers."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from models.bitplane import BitplaneLayer
from models.cli import Commands, run
from models.codes import Activation
from models.store import BitplaneFile, open_layers
from models.training.settings import Settings

if TYPE_CHECKING:
    from models.llm import LLM  # brings torch and Transformers: seconds

PROGRAM = "python -m models"
CALIBRATE = (
    "a text file, hub:NAME[:SPLIT[:CONFIG]] for a data set of the Hub, self for text that the "
    "model makes up, or none to look at weights only (default: self)"
)
EXAMPLE = """examples:
  python -m models formats
  python -m models quantize smollm2 --format sbvr:k=2,group=64 -o build/smollm2.safetensors
  python -m models show build/smollm2.safetensors
  python -m models eval build/smollm2.safetensors --text text.txt
  python -m models compare --text text.txt -o build/compare"""


def main() -> None:
    """Parse the command line and do what it says."""
    commands = Commands(PROGRAM, "Formats, quantized models and the exact reference.", EXAMPLE)
    commands.add("formats", "List the formats with their options.", show_formats)
    sub = commands.add("quantize", "Quantize the linear layers of a model.", quantize)
    sub.add_argument("model", help="smollm2, a GGUF file, a Transformers folder or a Hub name")
    sub.add_argument("--format", required=True, nargs="+", metavar="FORMAT",
                     help="name:key=value,...; several with --budget")  # fmt: skip
    sub.add_argument("--budget", type=float, metavar="BITS",
                     help="a format for each layer, so many bits a weight in all")  # fmt: skip
    sub.add_argument("-o", dest="file", type=Path, required=True, help="file to write")
    sub.add_argument("--act-bits", type=int, default=8, help="activation bits (default: 8)")
    sub.add_argument("--layers", default="*", help="shell pattern of layer names (default: all)")
    sub.add_argument("--calibrate", default="self", metavar="TEXT", help=CALIBRATE)
    sub.add_argument("--windows", type=int, default=32, help="of that text (default: 32)")
    sub.add_argument("--context", type=int, help="tokens a window (default: 1024, or the model's)")
    sub.add_argument("--migrate", choices=["none", "smooth", "gamma", "os+"], default="none",
                     help="move outliers from inputs to weights (default: none)")  # fmt: skip
    sub.add_argument("--rotate", type=int, default=0, metavar="BLOCK",
                     help="rotate inputs by Hadamard matrices of this size")  # fmt: skip
    sub.add_argument("--head", action="store_true", help="the layer of the logits, too")
    sub = commands.add("import", "Import a model that is quantized already.", import_model)
    sub.add_argument("source", help="a GGUF file, a BitNet or GPTQ folder or Hub name, smollm2")
    sub.add_argument("-o", dest="file", type=Path, required=True, help="file to write")
    sub.add_argument("--act-bits", type=int, default=8, help="activation bits (default: 8)")
    sub.add_argument("--layers", default="*", help="shell pattern of layer names (default: all)")
    sub.add_argument("--wide", action="store_true", help="coefficients too wide for circuits")
    sub = commands.add("export", "Write ternary layers to GGUF, where nothing is lost.", export)
    sub.add_argument("file", type=Path)
    sub.add_argument("--to", required=True, help="gguf-tq1_0 or gguf-tq2_0")
    sub.add_argument("-o", dest="path", type=Path, required=True, help="file to write")
    sub.add_argument("--base", type=Path, help="GGUF model whose layers are replaced")
    sub = commands.add("show", "Show what a file of layers holds.", show)
    sub.add_argument("file", type=Path)
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = commands.add(
        "eval", "Perplexity in float, with quantized weights, and in integers.", evaluate
    )
    sub.add_argument("file", type=Path)
    _add_text(sub, required=False)
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--batch", type=int, default=1, help="windows read at once (default: 1)")
    sub.add_argument("--tasks", help="instead of a text: names of lm-eval's tasks, with commas")
    sub.add_argument("--limit", type=int, help="documents of a task (default: all)")
    sub.add_argument("--task-folder", type=Path, help="with tasks of your own, YAML")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = commands.add("compare", "Quantize and evaluate many formats; go on where it stopped.",
                       compare)  # fmt: skip
    sub.add_argument("list", type=Path, nargs="?", help="TOML (default: all formats)")
    sub.add_argument("--model", default="smollm2", help="as for quantize (default: smollm2)")
    sub.add_argument("--calibrate", default="self", metavar="TEXT", help=CALIBRATE)
    sub.add_argument("--windows", type=int, default=32, help="of that text (default: 32)")
    _add_text(sub, required=True)
    sub.add_argument("--integer-tokens", type=int, help="for the integers (default: all tokens)")
    sub.add_argument("--only", default="*", metavar="PATTERN", help="rows to work on (default: *)")
    sub.add_argument("-o", dest="folder", type=Path, required=True, help="folder to write")
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


def _add_text(sub: ArgumentParser, required: bool) -> None:
    sub.add_argument("--text", type=Path, required=required, help="file with the text, UTF-8")
    sub.add_argument("--tokens", type=int, default=20000, help="at most so many (default: 20000)")
    sub.add_argument("--context", type=int, default=1024, help="tokens a window (default: 1024)")


def show_formats(_: Namespace) -> None:
    """Print a line for each format."""
    from models.formats import FORMATS, describe

    for name in FORMATS:
        print(describe(name))


def quantize(arguments: Namespace) -> None:
    """Quantize a model into a file and say how large it became."""
    from models.formats import parse as parse_format
    from models.formats.several import several

    specs = {text: parse_format(text) for text in several(";".join(arguments.format))}
    budget = arguments.budget
    if (len(specs) > 1) != (budget is not None):
        got = f"{len(specs)} and {'no' if budget is None else 'a'} budget"
        raise ValueError(f"--format must be one, or several with --budget, got {got}")
    activation = Activation(bits=arguments.act_bits, signed=arguments.act_bits > 1)
    from models.calibration.migration import Migration
    from models.calibration.text import calibration_windows
    from models.llm import load
    from models.quantize import choose, head_of, quantize_model

    info = {"model": arguments.model, "format": " ".join(specs), "layers": arguments.layers,
            "act_bits": str(arguments.act_bits)}  # fmt: skip
    if arguments.head:
        info["head"] = "quantized"
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
        from models.allocation import allocate
        from models.trials import measure

        if windows is None:
            raise ValueError("--budget must have a text to calibrate with, got none")
        info["budget"] = str(budget)
        head = head_of(llm, chosen)
        measured = measure(llm, windows, chosen, list(specs), how, activation, head)
        missed = [name for name in chosen if name not in measured]
        if missed:
            raise ValueError(f"layers must be reached by the text, got {missed[0]} that is not")
        found = allocate(measured, budget)
        spec = {name: specs[candidate.format] for name, candidate in found.items()}.__getitem__
    quantize_model(llm, chosen, spec, activation, arguments.file, info, windows, how)
    show(Namespace(file=arguments.file, json=False))


def import_model(arguments: Namespace) -> None:
    """Import a quantized model into a file and say what became of it."""
    activation = Activation(bits=arguments.act_bits, signed=arguments.act_bits > 1)
    from models.interchange.read import import_layers

    summary = import_layers(
        arguments.source, activation, arguments.file, arguments.layers, arguments.wide
    )
    show(Namespace(file=arguments.file, json=False))
    print(summary.report())


def export(arguments: Namespace) -> None:
    """Export a file's layers and say how large they became."""
    from models.interchange.write import export_layers

    with open_layers(arguments.file) as file:
        export_layers(file, arguments.to, arguments.path, arguments.base)
        count = len(file.names)
    print(f"{arguments.path}: {count} layers, {arguments.path.stat().st_size} bytes")


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
    """Print the perplexity of a file's model, or how it does tasks."""
    if (arguments.text is None) == (arguments.tasks is None):
        got = "neither" if arguments.text is None else "both"
        raise ValueError(f"either --text or --tasks must be given, got {got}")
    with open_layers(arguments.file) as file:
        source = arguments.model or file.info.get("model")
        if not source:
            raise ValueError(f"--model must be given, as {arguments.file} names none")
        from models import eval as evaluation
        from models.llm import load

        llm = load(source)
        if arguments.tasks is not None:
            _evaluate_tasks(llm, file, arguments)
            return
        windows = evaluation.read_windows(llm, arguments.text, arguments.tokens, arguments.context)
        results = list(evaluation.evaluate(llm, file, windows, arguments.batch))
    if arguments.json:
        print(json.dumps(evaluation.figures(results, windows), indent=2))
        return
    print(f"{arguments.file}: {source}, {windows.numel()} tokens in {len(windows)} windows of "
          f"{windows.shape[1]} from {arguments.text}")  # fmt: skip
    print(evaluation.report(results))


def _evaluate_tasks(llm: "LLM", file: BitplaneFile, arguments: Namespace) -> None:
    from dataclasses import asdict

    from models.tasks import report, run_tasks

    names = arguments.tasks.split(",")
    scores = run_tasks(llm, file, names, arguments.limit, arguments.task_folder)
    print(json.dumps([asdict(one) for one in scores], indent=2) if arguments.json
          else report(scores))  # fmt: skip


def compare(arguments: Namespace) -> None:
    """Work through a list of formats; keep records, a table and a picture in a folder."""
    from models.compare.picture import write_report
    from models.compare.report import line
    from models.compare.rows import DEFAULT, choose, read_rows
    from models.compare.run import Comparison, Plan

    rows = read_rows(arguments.list or DEFAULT)
    chosen = choose(rows, arguments.only)
    plan = Plan(
        arguments.model, arguments.calibrate, arguments.windows, arguments.text,
        arguments.tokens, arguments.context, arguments.integer_tokens,
    )  # fmt: skip
    comparison = Comparison(plan, arguments.folder)
    failed = 0
    for row in chosen:
        record = comparison.run(row)
        failed += bool(record.reason)
        print(line(row, record), flush=True)
        write_report({one: comparison.record(one) for one in rows}, arguments.folder)
    print(f"{arguments.folder}: table.md, perplexity.png, perplexity.svg")
    if failed:
        raise ValueError(f"rows must all have figures, got {failed} of {len(chosen)} without")


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
