"""How well a file's model does."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from models.checks import require
from models.cli import Commands
from models.commands.flags import add_device, add_text, source_of
from models.store import BitplaneFile, open_layers

if TYPE_CHECKING:
    from models.llm import LLM  # brings torch and Transformers: seconds

EXAMPLE = "python -m models eval build/k2.safetensors --text text.txt"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Perplexity in float, with quantized weights, and in integers."
    sub = commands.add("eval", text, run, EXAMPLE)
    sub.add_argument("file", type=Path)
    add_text(sub, required=False)
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--batch", type=int, default=1, help="windows read at once (default: 1)")
    add_device(sub)
    sub.add_argument("--tasks", help="instead of a text: names of lm-eval's tasks, with commas")
    sub.add_argument("--limit", type=int, help="documents of a task (default: all)")
    sub.add_argument("--task-folder", type=Path, help="with tasks of your own, YAML")
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print the perplexity of a file's model, or how it does tasks."""
    if (arguments.text is None) == (arguments.tasks is None):
        got = "neither" if arguments.text is None else "both"
        raise ValueError(f"either --text or --tasks must be given, got {got}")
    for name, value in (("--limit", arguments.limit), ("--task-folder", arguments.task_folder)):
        fits = arguments.tasks is not None or value is None
        require(fits, name, "be left out without --tasks", value)
    with open_layers(arguments.file) as file:
        source = source_of(arguments.model, file)
        from models import eval as evaluation
        from models.device import choose_device
        from models.llm import load

        device = choose_device(arguments.device)
        llm = load(source)
        if arguments.tasks is not None:
            _run_tasks(llm, file, arguments)
            return
        windows = evaluation.read_windows(llm, arguments.text, arguments.tokens, arguments.context)
        results = list(evaluation.evaluate(llm, file, windows, arguments.batch, device))
    if arguments.json:
        print(json.dumps(evaluation.figures(results, windows), indent=2))
        return
    print(f"{arguments.file}: {source}, {windows.numel()} tokens in {len(windows)} windows of "
          f"{windows.shape[1]} from {arguments.text}")  # fmt: skip
    print(evaluation.report(results))


def _run_tasks(llm: "LLM", file: BitplaneFile, arguments: Namespace) -> None:
    from models.tasks import report, run_tasks

    names = arguments.tasks.split(",")
    scores = run_tasks(llm, file, names, arguments.limit, arguments.task_folder)
    print(json.dumps([asdict(one) for one in scores], indent=2) if arguments.json
          else report(scores))  # fmt: skip
