"""Command line of the circuit at work: bench, layer, generate, system, speed, soak, demo."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tqdm import tqdm

from hwgen.config import HardwareConfig
from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands, run
from models.store import BitplaneFile, open_layers
from sim.memory import Memory

PROGRAM = "python -m sim"
EXAMPLE = """examples:
  python -m sim bench
  python -m sim layer build/demo/layers.safetensors --layer layers.3.mlp.down_proj
  python -m sim generate build/int4.safetensors --prompt "The capital of France is" --tokens 16
  python -m sim demo --format ternary:scale=group,group=64"""
BUILD = Path("build")


def main() -> None:
    """Parse the command line and do what it says."""
    commands = Commands(PROGRAM, "Run layers on the generated circuit.", EXAMPLE)
    sub = commands.add("bench", "Run the RTL benches on the standard configurations.", bench)
    sub.add_argument("--seed", type=int, default=1, help="seed of the random cases (default: 1)")
    sub.add_argument("--waves", action="store_true", help="keep FST waves of every bench")

    sub = commands.add("layer", "Run one real layer of a file on the circuit.", layer)
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--layer", required=True, help="its name, or the end of it")
    sub.add_argument("--model", help="where its inputs come from (default: the file's own model)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("--waves", type=Path, metavar="FILE", help="write FST waves")
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG picture")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--k", type=int, metavar="N", help="weight planes (default: the layer's)")
    add_config_flags(sub, skip=("k",))

    sub = commands.add("generate", "Text from a model whose layers run on the circuit.", generate)
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--prompt", required=True, help="text to go on with")
    sub.add_argument("--tokens", type=int, default=16, help="at most so many (default: 16)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--check", action="store_true",
                     help="compare the integers of every layer with the reference")  # fmt: skip
    sub.add_argument("--engines", type=int, default=2, metavar="N",
                     help="circuits side by side on this machine's cores (default: 2)")  # fmt: skip
    add_system_flags(sub)
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--k", type=int, metavar="N", help="weight planes (default: the file's)")
    add_config_flags(sub, skip=("k",))

    sub = commands.add("system", "Predict a file's layers on a circuit behind a memory.", system)
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--tokens", type=int, default=1, help="read at once (default: 1)")
    add_system_flags(sub)
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG timeline")
    sub.add_argument("--trace", type=Path, metavar="FILE",
                     help="write a trace for Perfetto or Chrome")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--k", type=int, metavar="N", help="weight planes (default: the file's)")
    add_config_flags(sub, skip=("k",))

    sub = commands.add("speed", "Time the simulation of a layer on the circuit.", speed)
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub)

    sub = commands.add("soak", "Random layers on random circuits, as many as asked for.", soak)
    sub.add_argument("--layers", type=int, default=1000, help="(default: 1000)")
    sub.add_argument("--circuits", type=int, default=20, help="in turn (default: 20)")
    sub.add_argument("--seed", type=int, default=1, help="of everything random (default: 1)")
    sub.add_argument("--state", type=Path, default=BUILD / "soak.json",
                     help="from which a stopped soak goes on (default: %(default)s)")  # fmt: skip

    sub = commands.add("demo", "Quantize a model and verify a layer of each kind on RTL.", demo)
    sub.add_argument("--model", default="smollm2", help="as for models quantize (default: smollm2)")
    sub.add_argument("--format", default="signs:k=2,group=64", help="(default: %(default)s)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("-o", dest="folder", type=Path, default=BUILD / "demo",
                     help="folder of all results (default: %(default)s)")  # fmt: skip
    add_config_flags(sub, skip=("k",))

    commands.run()


def add_system_flags(parser: ArgumentParser) -> None:
    """Add the flags of the clock and the memory of a system."""
    group = parser.add_argument_group("system")
    group.add_argument("--clock", type=float, default=200.0, metavar="MHZ",
                       help="of the circuit (default: 200)")  # fmt: skip
    group.add_argument("--bandwidth", type=float, default=3.2, metavar="GB/S",
                       help="of a memory without latency (default: 3.2)")  # fmt: skip
    group.add_argument("--memory", metavar="PART", help="a memory part in its place")


def system_from(arguments: Namespace) -> tuple[float, Memory]:
    """Return the clock in Hz and the memory that the flags describe."""
    from sim.system import memory_of

    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.bandwidth > 0, "bandwidth", "be above 0 GB/s", arguments.bandwidth)
    clock = arguments.clock * 1e6
    return clock, memory_of(arguments.memory, arguments.bandwidth * 1e9, clock)


def file_config(arguments: Namespace, file: BitplaneFile) -> HardwareConfig:
    """Return the configuration of the flags, once it is known to run every layer of the file."""
    from sim.layer import check_config

    require(len(file.names) > 0, str(file.path), "hold a layer", "none")
    planes = file.layer(file.names[0]).paths[0].stages[0].k
    config = config_from(arguments, planes if arguments.k is None else arguments.k)
    for name in file.names:
        try:
            check_config(file.layer(name), config)
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from error
    return config


def bench(arguments: Namespace) -> None:
    """Run all benches; stop at the first that fails."""
    from sim.rtl import name, run_bench
    from sim.standard import STANDARD

    total = 0
    for config in STANDARD:
        print(f"{name(config)}: ", end="", flush=True)
        try:
            ran = run_bench(
                "sim.bench_top", config, BUILD / "sim", seed=arguments.seed, waves=arguments.waves
            )
        except RuntimeError as error:
            print(f"failed\n{PROGRAM}: {error}", file=sys.stderr)
            sys.exit(1)
        total += ran
        print(f"{ran} tests passed")
    print(f"{total} passed, 0 failed")


def layer(arguments: Namespace) -> None:
    """Run a layer, print its line, and fail unless all is equal."""
    with open_layers(arguments.file) as file:
        found = file.layer(arguments.layer)
        source = arguments.model or file.info["model"]
    planes = found.paths[0].stages[0].k if arguments.k is None else arguments.k
    config = config_from(arguments, planes)
    from sim.engine import Engine
    from sim.layer import check_config, run_layer

    check_config(found, config)
    from models.llm import load
    from sim.real import PROMPT, errors_of, inputs_of
    from sim.report import as_json, picture, table

    llm = load(source)
    x = inputs_of(llm, [found.name], arguments.prompt or PROMPT)[found.name]
    engine = Engine(config, waves=arguments.waves)
    with tqdm(desc="on the RTL", unit=" words", leave=False) as bar:
        done = run_layer(found, x, engine, progress=lambda words: bar.update(words - bar.n))
    engine.close()
    result = (done, errors_of(llm, found, x, done))
    print(json.dumps(as_json(result), indent=2) if arguments.json else table([result]))
    if arguments.picture:
        picture([result], config, found.name, arguments.picture)
    if not done.verified:
        sys.exit(1)


def generate(arguments: Namespace) -> None:
    """Print a text as it comes, then what it took; fail unless all integers compared are equal."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    require(arguments.engines >= 1, "engines", "be 1 or more", arguments.engines)
    clock, memory = system_from(arguments)
    with open_layers(arguments.file) as file:
        source = arguments.model or file.info.get("model")
        if not source:
            raise ValueError(f"--model must be given, as {arguments.file} names none")
        config = file_config(arguments, file)
        from models.llm import load
        from sim.generate import figures, report
        from sim.generate import generate as run_model
        from sim.system import layer_duties

        done = run_model(
            load(source), file, arguments.prompt, arguments.tokens, config,
            engines=arguments.engines, check=arguments.check,
            show=lambda piece: None if arguments.json else print(piece, end="", flush=True),
        )  # fmt: skip
        duties = [
            duty
            for name in file.names
            for duty in layer_duties(file.layer(name), config, memory, 1)
        ]
    speed = clock / sum(duty.cycles for duty in duties)
    if arguments.json:
        print(json.dumps({**figures(done), "predicted_tokens_per_second": speed}, indent=2))
    else:
        print(f"\n\n{report(done)}")
        print(f"predicted: {speed:.1f} tokens/s at {arguments.clock:g} MHz, "
              f"{memory.sustained * clock / 1e9:.2f} GB/s")  # fmt: skip
    if done.unequal:
        sys.exit(1)


def system(arguments: Namespace) -> None:
    """Print what the layers take together, by kind; draw and trace them if asked to."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    clock, memory = system_from(arguments)
    from dataclasses import asdict

    from sim.system import layer_duties, table
    from sim.timeline import picture, write_trace

    with open_layers(arguments.file) as file:
        config = file_config(arguments, file)
        duties = [
            duty
            for name in tqdm(file.names, desc="laying out", unit="layer", leave=False)
            for duty in layer_duties(file.layer(name), config, memory, arguments.tokens)
        ]
    if arguments.picture:
        title = f"{arguments.file.name}, {arguments.tokens} tokens at {arguments.clock:g} MHz"
        picture(duties, clock, title, arguments.picture)
    if arguments.trace:
        write_trace(duties, clock, arguments.trace)
    seconds = sum(duty.cycles for duty in duties) / clock
    speed = arguments.tokens / seconds
    if arguments.json:
        layers = [{**asdict(duty), "cycles": duty.cycles, "bound": duty.bound} for duty in duties]
        print(json.dumps({"tokens_per_second": speed, "layers": layers}, indent=2))
        return
    print(table(duties, clock))
    print(f"{speed:.1f} tokens/s at {arguments.clock:g} MHz, "
          f"{memory.sustained * clock / 1e9:.2f} GB/s")  # fmt: skip


def speed(arguments: Namespace) -> None:
    """Print cycles and operations a second."""
    from sim.speed import measure, report

    done = measure(config_from(arguments))
    print(json.dumps(vars(done), indent=2) if arguments.json else report(done))


def soak(arguments: Namespace) -> None:
    """Print how many integers were compared, and fail if any differ."""
    require(arguments.layers >= 1, "layers", "be 1 or more", arguments.layers)
    most = arguments.layers
    require(1 <= arguments.circuits <= most, "circuits", f"be 1 to {most}", arguments.circuits)
    from sim.soak import Soak, resumed
    from sim.soak import soak as run_soak

    arguments.state.parent.mkdir(parents=True, exist_ok=True)
    start = Soak(arguments.seed, arguments.layers, arguments.circuits)
    there = resumed(start, arguments.state).done
    with tqdm(desc="soak", unit="layer", total=start.layers, initial=there, leave=False) as bar:
        done = run_soak(start, arguments.state, bar.update)
    ran = f"{done.done} layers on {done.circuits} circuits, {done.resets} after a reset"
    print(f"{ran}: {done.integers - done.unequal} of {done.integers} integers equal")
    if done.unequal:
        sys.exit(1)


def demo(arguments: Namespace) -> None:
    """Run the demo, print its table, draw its picture, and fail unless all is equal."""
    config = config_from(arguments, 1)
    from sim.demo import run_demo
    from sim.real import PROMPT
    from sim.report import picture, table

    prompt = arguments.prompt or PROMPT
    results, config = run_demo(arguments.model, arguments.format, prompt, config, arguments.folder)
    drawn = arguments.folder / "layers.png"
    picture(results, config, f"{arguments.model}, {arguments.format}", drawn)
    print(table(results))
    verified = sum(done.verified for done, _ in results)
    print(f"{verified} of {len(results)} layers verified: all integers and cycles as predicted")
    print(f"quantized model, Verilog and picture: {arguments.folder}")
    if verified < len(results):
        sys.exit(1)


if __name__ == "__main__":
    run(PROGRAM, main)
