"""Instances of a module of the generated Verilog, and the nets that connect them."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

INSTANCE = re.compile(r"^  (\w+) (\w+) \(\n((?:    \.\w+\(.*\),?\n)+)  \);", re.MULTILINE)
PIN = re.compile(r"\.(\w+)\((.*)\)")
PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\\\S+ |\w+);", re.MULTILINE)
NET = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class Node:
    """A box of a block diagram.

    Attributes
    ----------
    name : str
        Of an instance, or of a group of ports.
    module : str
        Of which it is an instance; empty for ports.
    parts : dict of str to int
        Modules inside it, and how many of each.
    """

    name: str
    module: str
    parts: dict[str, int]


@dataclass(frozen=True)
class Netlist:
    """Nodes and, from one to another, the bits of the nets that lead there."""

    nodes: dict[str, Node]
    bits: dict[tuple[str, str], int]


def netlist(modules: dict[str, str], top: str) -> Netlist:
    """Read the instances of a module and what connects them.

    Ports of the module are nodes too, those of a stream or a bus together; clock and reset are left
    out, and so is logic between the instances.

    Parameters
    ----------
    modules : dict of str to str
        Verilog of each module, as :func:`hwgen.emit.emit` returns it.
    """
    ports = {name: _ports(text) for name, text in modules.items()}
    nodes: dict[str, Node] = {}
    gives: dict[str, tuple[str, int]] = {}
    takes: dict[str, list[str]] = defaultdict(list)
    for name, (way, width) in ports[top].items():
        node = re.sub(r"(__|_)[a-z]+$", "", name) if "_" in name else name
        if node not in ("aclk", "aresetn", "clk", "rst"):
            nodes.setdefault(node, Node(node, "", {}))
            if way == "input":
                gives[name] = (node, width)
            else:
                takes[name].append(node)
    for module, instance, pins in INSTANCE.findall(modules[top]):
        inside = Counter(part for part, _, _ in INSTANCE.findall(modules[module]))
        nodes[instance] = Node(instance, module, {p: n for p, n in inside.items() if p in modules})
        for pin, connected in PIN.findall(pins):
            way, width = ports[module][pin]
            for net in NET.findall(connected) if pin not in ("clk", "rst") else ():
                if way == "output":
                    gives[net] = (instance, width)
                else:
                    takes[net].append(instance)
    bits: dict[tuple[str, str], int] = defaultdict(int)
    for net, (source, width) in gives.items():
        for sink in takes.get(net, ()):
            bits[source, sink] += width
    return Netlist(nodes, dict(bits))


def _ports(text: str) -> dict[str, tuple[str, int]]:
    """Return the direction and the bits of each port of a module."""
    return {
        name.strip().lstrip("\\"): (way, int(high or 0) + 1)
        for way, high, name in PORT.findall(text)
    }
