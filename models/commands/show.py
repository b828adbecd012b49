"""What a file of layers holds."""

import json
from argparse import Namespace
from pathlib import Path

from models.bitplane import BitplaneLayer
from models.cli import Commands
from models.store import FORMATS, open_layers

EXAMPLE = "python -m models show build/k2.safetensors"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("show", "Show what a file of layers holds.", run, EXAMPLE)
    sub.add_argument("file", type=Path)
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print a line for each layer and the sum."""
    with open_layers(arguments.file) as file:
        several, info = FORMATS in file.info, file.info
        rows = [_row(file.layer(name)) for name in file.names]
        for row in rows if several else ():
            row["format"] = file.format_of(row["layer"])
    weights = sum(row["out"] * row["in"] for row in rows)
    bits = sum(row["stored_bits"] for row in rows)
    total = {"weights": weights, "bits_per_weight": round(bits / weights, 4)}
    if arguments.json:
        print(json.dumps({"info": info, **total, "layers": rows}, indent=2))
        return
    for row in rows:
        shape = f"{row['out']} x {row['in']}"
        line = f"{row['layer']:<44} {shape:>12}  k={row['k']}  {row['bits_per_weight']:.3f} b/w"
        print(f"{line}  {row['format']}" if several else line)
    told = ", ".join(f"{key} {value}" for key, value in info.items() if key != FORMATS)
    print(f"{arguments.file}: {told}")
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
