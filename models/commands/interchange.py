"""Models that are quantized already, read and written."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from models.commands import show
from models.commands.flags import OUT, activation_of, add_activation
from models.files import check_output
from models.store import open_layers

EXAMPLE = "python -m models import model.gguf -o build/imported.safetensors"
EXPORT = "python -m models export build/bitnet.safetensors --to gguf-tq2_0 -o build/bitnet.gguf"


def add(commands: Commands) -> None:
    """Add both commands and their flags."""
    sub = commands.add("import", "Import a model that is quantized already.", run, EXAMPLE)
    sub.add_argument("source", help="a GGUF file, a BitNet or GPTQ folder or Hub name, smollm2")
    sub.add_argument("-o", dest="file", type=Path, required=True, help=OUT)
    add_activation(sub)
    sub.add_argument("--layers", default="*", help="shell pattern of layer names (default: all)")
    sub.add_argument("--wide", action="store_true", help="coefficients too wide for circuits")
    sub = commands.add(
        "export", "Write ternary layers to GGUF, where nothing is lost.", export, EXPORT
    )
    sub.add_argument("file", type=Path)
    sub.add_argument("--to", required=True, help="gguf-tq1_0 or gguf-tq2_0")
    sub.add_argument("-o", dest="path", type=Path, required=True, help=OUT)
    sub.add_argument("--base", type=Path, help="GGUF model whose layers are replaced")


def run(arguments: Namespace) -> None:
    """Import a quantized model into a file and say what became of it."""
    activation = activation_of(arguments)
    check_output(arguments.file)
    from models.interchange.read import import_layers

    summary = import_layers(
        arguments.source, activation, arguments.file, arguments.layers, arguments.wide
    )
    show.run(Namespace(file=arguments.file, json=False))
    print(summary.report())


def export(arguments: Namespace) -> None:
    """Export a file's layers and say how large they became."""
    from models.interchange.write import export_layers

    check_output(arguments.path)
    with open_layers(arguments.file) as file:
        export_layers(file, arguments.to, arguments.path, arguments.base)
        count = len(file.names)
    print(f"{arguments.path}: {count} layers, {arguments.path.stat().st_size} bytes")
